"""A folder of images without labels, which the teacher answers; a few labelled ones may judge."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kdtasks.core.records.data import Problem
from kdtasks.core.settings import Names
from kdtasks.data.class_names import class_name
from kdtasks.data.folders import files_below, relative_name, require_folder, visible_entries
from kdtasks.data.prepared import SPLITS
from kdtasks.data.sources import Item, Size, Source, sources


@sources.register
class UnlabelledFolder(Source):
    """Images of any size and mode, in folders of any depth, and no label but to judge models by.

    The likeliest class of the teacher, an imported one or a file of answers, is the label of all
    others, so that what is measured by them is agreement with it.
    """

    task: ClassVar = "classification"
    is_folder: ClassVar = True

    name: Literal["unlabelled_folder"] = "unlabelled_folder"
    classes: Annotated[Names, Field(min_length=2)] = Field(
        description="the classes, in the order of the teacher's outputs"
    )
    test: str | None = Field(
        default=None,
        description="folder below `data.path` that holds one folder a class: labelled images, "
        "which are the test split; null: there are none, and accuracy stays unknown",
    )
    validation: str | None = Field(default=None, description="the same for the validation split")

    @property
    def answered(self) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if split not in self._labelled)

    @property
    def _labelled(self) -> dict[str, str]:
        """Splits that have labels, and their folders below `data.path`."""
        folders = {"validation": self.validation, "test": self.test}
        return {split: name for split, name in folders.items() if name is not None}

    def check(self, image_size: Size | None) -> None:
        if image_size is None:
            raise ValueError("image_size is null; unlabelled_folder needs [height, width]")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"source.classes names a class twice: {list(self.classes)}")

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return self.classes

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the files of all folders, then the labelled ones.

        Raises:
            DatasetError: a folder is missing.
        """
        require_folder(folder, "the folder that holds the images")
        labelled = {split: folder / name for split, name in self._labelled.items()}
        for path in files_below(folder):
            if not any(path.is_relative_to(inner) for inner in labelled.values()):
                yield Item(relative_name(path, folder), path, None)
        for split, inner in labelled.items():
            require_folder(inner, "a folder of labelled images", key=f"data.source.{split}")
            yield from self._items_of(split, folder, inner)

    def _items_of(self, split: str, folder: Path, inner: Path) -> Iterator[Item | Problem]:
        numbers = {class_name(name): number for number, name in enumerate(self.classes)}
        for entry in visible_entries(inner):
            label = numbers.get(class_name(entry.name)) if entry.is_dir() else None
            if label is None:
                problem = f"no folder of a class; these are {', '.join(self.classes)}"
                yield Problem(relative_name(entry, folder), problem)
                continue
            for path in files_below(entry):
                yield Item(relative_name(path, folder), path, label, split=split)
