"""Images whose class stands in their names."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.core.text import and_list, quantity
from kdtasks.data.class_names import (
    ClassOrder,
    class_name,
    configured_classes,
    order_classes,
    refuse_look_alikes,
)
from kdtasks.data.folders import files_below, relative_name, require_folder
from kdtasks.data.given_splits import Divided, divide
from kdtasks.data.image_index import ImageIndex
from kdtasks.data.sources import Item, Source, sources
from kdtasks.data.tables import read_table
from kdtasks.edge.formats import IMAGE_LIKE

Split = Literal["train", "validation", "calibration", "test"]


@sources.register
class FileNames(Source):
    """Images in one folder, or folders of any depth, whose names begin with their class.

    Such as `Abyssinian_12.jpg` of the Oxford pets. Other files, such as lists, are passed over.
    """

    task: ClassVar = "classification"
    is_folder: ClassVar = True
    needs_image_size: ClassVar = True
    refuses_contradictions: ClassVar = True

    name: Literal["file_names"] = "file_names"
    pattern: str = Field(
        default=r"(.+?)[ _.-]*\d+",
        description="regular expression for a whole name without ending; its first group, or else "
        "all of it, is the class. By default what stands before the number at the end",
    )
    images: str = Field(default=".", description="folder below `data.path` that holds the images")
    lists: dict[Split, str] = Field(
        default={},
        description="text files below `data.path` that give splits, such as `{train: "
        "annotations/trainval.txt, test: annotations/test.txt}`, with images in the first column; "
        "where one of `train` and `validation` holds the other, the narrower list counts",
    )
    divided: Divided = "train"
    classes: ClassOrder = None

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression ({error})") from None
        return value

    def for_folder(self) -> Self:
        return self.model_copy(update={"classes": None, "lists": {}})

    def class_names(self, folder: Path) -> tuple[str, ...]:
        names = {name for _, name in self._named(folder) if name}
        refuse_look_alikes(sorted(names))
        return order_classes(names, configured_classes(self.classes, folder))

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
        named_paths = self._named(folder)
        splits, _ = self._given(folder, [path for path, _ in named_paths])
        for (path, named), split in zip(named_paths, splits, strict=True):
            if named in numbers:
                yield Item(relative_name(path, folder), path, numbers[named], split)
            elif named:
                yield Problem(relative_name(path, folder), "no class that source.classes names")
            else:
                yield Problem(relative_name(path, folder), f"does not match {self.pattern}")

    def layout_found(self, folder: Path) -> Sequence[str]:
        images = self._named(folder)
        example, named = next((path.name, name) for path, name in images if name)
        notes = [f"classes by the names of images: {example} is of {named}"]
        _, sentence = self._given(folder, [path for path, _ in images])
        if sentence:
            notes.append(f"splits by {and_list(list(self.lists.values()))}: {sentence}")
        return notes

    def _given(self, folder: Path, paths: Sequence[Path]) -> tuple[list[str | None], str]:
        """Give the split that each image is listed in, as of `divide`.

        Raises:
            DatasetError: a list cannot be read, names other images, or one of two splits.
        """
        index, listed_in = ImageIndex(paths, folder / self.images), dict[Split, set[Path]]()
        for split, name in self.lists.items():
            table = read_table(folder / name)
            listed = index.find_all(table.column(table.columns[0]))
            if 2 * sum(map(bool, listed)) < len(listed):
                raise DatasetError(
                    f"{folder / name} names {quantity(len(listed), 'image')}, most of which are "
                    f"not in {folder / self.images}; correct data.source.lists"
                )
            listed_in[split] = {path for found in listed for path in found}
        for narrow, wide in itertools.permutations(listed_in.keys() & {"train", "validation"}, 2):
            if listed_in[narrow] < listed_in[wide]:  # such as `val.txt` and `trainval.txt`
                listed_in[wide] -= listed_in[narrow]
        split_of: dict[Path, str] = {}
        for split, images in listed_in.items():
            for path in sorted(images):
                if split_of.setdefault(path, split) != split:
                    raise DatasetError(
                        f"{path.name} is listed in {split_of[path]} and {split}; a model would be "
                        f"tested on what it has learnt: take it out of {self.lists[split]}"
                    )
        return divide([split_of.get(path) for path in paths], self.divided)

    def _named(self, folder: Path) -> list[tuple[Path, str | None]]:
        """List the images with the class that each one's name tells, if any."""
        images = require_folder(folder / self.images, "the folder of the images")
        paths: list[tuple[Path, str | None]] = []
        for path in files_below(images):
            if path.suffix.lower() in IMAGE_LIKE:
                match = re.fullmatch(self.pattern, path.stem)
                named = match and class_name(match[1] if match.re.groups else match[0])
                paths.append((path, named))
        return paths
