"""A version of a model: which files it has, and which contents they have."""

import dataclasses
import re
from datetime import datetime
from typing import Any

from kdtasks.errors import IntegrityError
from kdtasks.store.paths import problem_of_path, problem_of_paths

KIND = "version"
HASH = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """A file of a version."""

    path: str  # relative, with slashes
    size: int  # bytes
    sha256: str  # hex


@dataclasses.dataclass(frozen=True, kw_only=True)
class Version:
    """A version's manifest.

    Attributes:
        name: of the model.
        number: 1, 2, 3 …
        files: in the order of their paths.
        about: what its bundle says of itself: `variant` and so on.
        created: by the publisher's clock.
        identity: random; no two versions share it, even if all else is equal.
    """

    name: str
    number: int
    files: tuple[StoredFile, ...]
    about: dict[str, str]
    created: datetime
    identity: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def to_record(self) -> dict[str, Any]:
        """Give the content of its manifest."""
        return {
            "name": self.name,
            "version": self.number,
            "files": [dataclasses.asdict(file) for file in self.files],
            "about": self.about,
            "created": self.created.isoformat(timespec="seconds"),
            "id": self.identity,
        }


def read_version(record: dict[str, Any], *, name: str, number: int, key: str) -> Version:
    """Read a manifest, and trust nothing in it.

    Arguments:
        record: from `unseal`.
        name, number: what the manifest was asked for.
        key: where it was found, for errors.

    Raises:
        IntegrityError: it is another version's, or a file's path, size or hash is not allowed.
    """
    if (record.get("name"), record.get("version")) != (name, number):
        raise IntegrityError(
            f"{key} is damaged: it describes version {record.get('version')!r} of "
            f"{record.get('name')!r}"
        )
    try:
        files = tuple(
            StoredFile(file["path"], file["size"], file["sha256"]) for file in record["files"]
        )
        about = {_printable(word): _printable(text) for word, text in record["about"].items()}
        created = datetime.fromisoformat(record["created"])
        identity = str(record["id"])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise IntegrityError(f"{key} is damaged: {error!r}") from None
    for file in files:
        problem = problem_of_path(file.path)
        if problem:
            raise IntegrityError(
                f"{key} is refused: it names the file {file.path!r}, and {problem}"
            )
        if not isinstance(file.size, int) or isinstance(file.size, bool) or file.size < 0:
            raise IntegrityError(f"{key} is refused: {file.path!r} has the size {file.size!r}")
        if not isinstance(file.sha256, str) or not HASH.fullmatch(file.sha256):
            raise IntegrityError(f"{key} is refused: {file.path!r} has the hash {file.sha256!r}")
    problem = problem_of_paths(file.path for file in files) or (None if files else "it has no file")
    if problem:
        raise IntegrityError(f"{key} is refused: {problem}")
    return Version(
        name=name,
        number=number,
        files=files,
        about=about,
        created=created,
        identity=identity,
    )


def _printable(text: object) -> str:
    """Text that is safe to print on a terminal."""
    return "".join(letter for letter in str(text) if letter.isprintable())[:100]
