"""A folder of images without labels, which the teacher answers; labelled ones may test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kdtasks.core.records.data import Problem
from kdtasks.core.settings import Names
from kdtasks.data.folders import relative_name, require_folder, visible_entries
from kdtasks.data.prepared import SPLITS
from kdtasks.data.sources import Item, Size, Source, sources


@sources.register
class UnlabelledFolder(Source):
    """Images of any size and mode, in folders of any depth, and none with a label but to test by.

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

    @property
    def answered(self) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if split != "test" or self.test is None)

    def check(self, image_size: Size | None) -> None:
        if image_size is None:
            raise ValueError("image_size is null; unlabelled_folder needs [height, width]")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"source.classes names a class twice: {list(self.classes)}")

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return self.classes

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the files of all folders, then those to test by.

        Raises:
            DatasetError: a folder is missing.
        """
        require_folder(folder, "the folder that holds the images")
        test = None if self.test is None else folder / self.test
        yield from _unlabelled(folder, folder, test)
        if test is not None:
            require_folder(test, "the folder of labelled images", key="data.source.test")
            yield from self._labelled(folder, test)

    def _labelled(self, folder: Path, test: Path) -> Iterator[Item | Problem]:
        for entry in visible_entries(test):
            name = relative_name(entry, folder)
            if not entry.is_dir() or entry.name not in self.classes:
                yield Problem(name, f"no folder of a class; these are {', '.join(self.classes)}")
                continue
            for path in visible_entries(entry):
                label = self.classes.index(entry.name)
                yield Item(relative_name(path, folder), path, label, split="test")


def _unlabelled(root: Path, folder: Path, without: Path | None) -> Iterator[Item]:
    for path in visible_entries(folder):
        if path == without:
            continue
        if path.is_dir():
            yield from _unlabelled(root, path, without)
        else:
            yield Item(relative_name(path, root), path, None)
