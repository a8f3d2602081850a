"""The JSON files that stages write, one class each; a refusal stands where there is no record."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kdtasks.core.errors import KdTasksError, Refused
from kdtasks.core.files import write_json

# Whose answers stand in the place of labels; None where labels are labels.
LabelsFrom = Literal["teacher"] | None


class Part(BaseModel):
    """A fixed group of keys within a record.

    A key that has its default is absent from the file; None elsewhere is null. Nothing is converted
    but a whole number where a fraction is expected; numbers that are not finite are refused, as
    JSON has none.
    """

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )

    def present(self) -> dict[str, Any]:
        """The values by key, without those that are absent; parts stay parts."""
        fields = type(self).model_fields
        return {key: value for key, value in self if value != fields[key].default}


class Record(Part):
    """The content of a JSON file that a stage writes."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the record at `path`.

        Raises:
            Refused: the file holds a refusal.
            KdTasksError: the file is missing, or holds something else.
        """
        record = cls.read_or_refusal(path)
        if isinstance(record, Refusal):
            raise Refused(record.refused)
        return record

    @classmethod
    def read_or_refusal(cls, path: Path) -> "Self | Refusal":
        """Read the record at `path`, or the refusal in its place.

        Raises:
            KdTasksError: the file is missing, or holds something else.
        """
        text = _read(path)
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            if refusal := _refusal_in(text):
                return refusal
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise KdTasksError(
                f"{path} is not what {cls.__name__} describes: {where and f'{where}: '}"
                f"{first['msg']}; remove the file and run `dvc repro`"
            ) from None

    def content(self) -> dict[str, Any]:
        """What the file holds."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def write(self, path: Path) -> None:
        """Write the record, whole or not at all: equal records give equal bytes."""
        write_json(path, self.content())


class Refusal(Record):
    """Why there is no record."""

    refused: str


def check_not_refused(path: Path) -> None:
    """Look whether a JSON file that is no record, say a bundle's manifest, holds a refusal.

    Raises:
        Refused: it does.
        KdTasksError: the file is missing.
    """
    if refusal := _refusal_in(_read(path)):
        raise Refused(refusal.refused)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise KdTasksError(f"{path} not found; run `dvc repro` to write it")
    return path.read_bytes()


def _refusal_in(text: bytes) -> Refusal | None:
    try:
        return Refusal.model_validate_json(text)
    except ValidationError:
        return None
