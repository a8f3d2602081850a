"""A folder of images without labels, which the teacher answers; a few labelled ones may judge."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kdtasks.core.records.data import Problem
from kdtasks.core.settings import Names
from kdtasks.data.class_names import class_name
from kdtasks.data.folders import files_below, relative_name, visible_entries
from kdtasks.data.sources import Item, Size, Source, sources
from kdtasks.data.sources.labelled_splits import LabelledSplits


@sources.register
class UnlabelledFolder(LabelledSplits):
    """Images in folders of any depth, without labels but those to judge models by.

    The teacher's likeliest class is the label of all others, so figures are agreement with it.
    `test` and `validation` hold one folder a class.
    """

    task: ClassVar = "classification"
    is_folder: ClassVar = True
    needs_image_size: ClassVar = True

    name: Literal["unlabelled_folder"] = "unlabelled_folder"
    classes: Annotated[Names, Field(min_length=2)] = Field(
        description="the classes, in the order of the teacher's outputs"
    )

    def check(self, image_size: Size | None) -> None:
        super().check(image_size)
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"source.classes names a class twice: {list(self.classes)}")

    def for_folder(self) -> Source:
        return sources["image_folder"].model_validate({})

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return self.classes

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the files of all folders, then the labelled ones.

        Raises:
            DatasetError: a folder is missing.
        """
        yield from self.without_label(folder)
        for split, inner in self.labelled(folder).items():
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
