"""A folder of images: one folder a class."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from kdtasks.core.records.data import Problem
from kdtasks.data.folders import relative_name, require_folder, visible_entries
from kdtasks.data.sources import Item, Size, Source, sources


@sources.register
class ImageFolder(Source):
    """Images of any size and mode, in one folder a class; classes are in order of their names."""

    task: ClassVar = "classification"
    is_folder: ClassVar = True
    refuses_contradictions: ClassVar = True

    name: Literal["image_folder"] = "image_folder"

    def check(self, image_size: Size | None) -> None:
        if image_size is None:
            raise ValueError("image_size is null; image_folder needs [height, width]")

    def class_names(self, folder: Path) -> tuple[str, ...]:
        return tuple(
            relative_name(entry, folder)
            for entry in visible_entries(folder)
            if entry.is_dir() and visible_entries(entry)
        )

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the files of the class folders.

        Raises:
            DatasetError: the folder is missing.
        """
        require_folder(folder, "the folder that holds one folder a class")
        class_names = self.class_names(folder)
        for entry in visible_entries(folder):
            name = relative_name(entry, folder)
            if not entry.is_dir():
                yield Problem(name, "beside the class folders, not in one of them")
                continue
            if name not in class_names:
                yield Problem(name, "an empty class folder")
            for path in visible_entries(entry):
                inside = relative_name(path, folder)
                if path.is_dir():
                    yield Problem(inside, "a folder in a class folder")
                else:
                    yield Item(inside, path, class_names.index(name))
