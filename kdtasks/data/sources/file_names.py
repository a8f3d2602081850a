"""Images whose class stands in their names."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.core.text import quantity
from kdtasks.data.class_names import (
    ClassOrder,
    class_name,
    in_order,
    refuse_look_alikes,
    wanted_classes,
)
from kdtasks.data.folders import files_below, relative_name, require_folder
from kdtasks.data.sources import Item, Size, Source, sources
from kdtasks.edge.formats import IMAGE_LIKE


@sources.register
class FileNames(Source):
    """Images in one folder, or folders of any depth, whose names begin with their class.

    Such as `Abyssinian_12.jpg` of the Oxford pets. Other files, such as lists, are passed over.
    """

    task: ClassVar = "classification"
    is_folder: ClassVar = True
    refuses_contradictions: ClassVar = True

    name: Literal["file_names"] = "file_names"
    pattern: str = Field(
        default=r"(.+?)[ _.-]*\d+",
        description="regular expression for a whole name without ending; its first group, or else "
        "all of it, is the class. By default what stands before the number at the end",
    )
    classes: ClassOrder = None

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression ({error})") from None
        return value

    def check(self, image_size: Size | None) -> None:
        if image_size is None:
            raise ValueError("image_size is null; file_names needs [height, width]")

    def class_names(self, folder: Path) -> tuple[str, ...]:
        there = {name for _, name in self._named(folder) if name}
        refuse_look_alikes(sorted(there))
        return in_order(there, wanted_classes(self.classes, folder))

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the images whose names tell their class.

        Raises:
            DatasetError: the folder is missing, or names tell no classes.
        """
        numbers = {name: number for number, name in enumerate(self.class_names(folder))}
        if not numbers:
            images = quantity(len(self._named(folder)), "image")
            raise DatasetError(
                f"{folder} holds {images}, none of them with a name that matches {self.pattern}; "
                "set data.source.pattern, or list the classes in a table (data.source: table)"
            )
        for path, named in self._named(folder):
            if named in numbers:
                yield Item(relative_name(path, folder), path, numbers[named])
            elif named:
                yield Problem(relative_name(path, folder), "no class that source.classes names")
            else:
                yield Problem(relative_name(path, folder), f"does not match {self.pattern}")

    def layout_found(self, folder: Path) -> Sequence[str]:
        example, named = next((path.name, name) for path, name in self._named(folder) if name)
        return [f"classes by the names of images: {example} is of {named}"]

    def _named(self, folder: Path) -> list[tuple[Path, str | None]]:
        """List the images with the class that each one's name tells, if any."""
        require_folder(folder, "the folder of the images")
        found: list[tuple[Path, str | None]] = []
        for path in files_below(folder):
            if path.suffix.lower() in IMAGE_LIKE:
                match = re.fullmatch(self.pattern, path.stem)
                named = match and class_name(match[1] if match.re.groups else match[0])
                found.append((path, named))
        return found
