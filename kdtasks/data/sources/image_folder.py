"""A folder of images in folders of classes, with or without folders of splits."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Self

from pydantic import Field

from kdtasks.core.errors import did_you_mean
from kdtasks.core.records.data import Problem
from kdtasks.data.class_names import ClassOrder, configured_classes, order_classes
from kdtasks.data.folders import files_below, relative_name, require_folder
from kdtasks.data.given_splits import Divided, divide
from kdtasks.data.layouts import ClassFolder, Nesting, class_folders, find_layout
from kdtasks.data.sources import Item, Source, sources

_IN_WORDS: dict[Nesting, str] = {
    "class": "one folder a class",
    "split/class": "folders of splits, and in each one folder a class",
    "class/split": "one folder a class, and in each folders of splits",
}


class _Listing(NamedTuple):
    folders: tuple[ClassFolder, ...]
    splits: tuple[str | None, ...]  # of each folder, as `Item.split`
    problems: tuple[Problem, ...]
    note: str


@sources.register
class ImageFolder(Source):
    """Images of any size and mode, in folders of classes.

    One folder a class, with images at any depth, or folders such as `train`, `val` and `test`
    around or inside those, which are kept as splits; `prepare` says which. Links are followed.
    """

    task: ClassVar = "classification"
    is_folder: ClassVar = True
    needs_image_size: ClassVar = True
    refuses_contradictions: ClassVar = True

    name: Literal["image_folder"] = "image_folder"
    layout: Nesting | None = Field(
        default=None,
        description="what the folders stand for, from the outermost to the innermost; null finds "
        "it out",
    )
    divided: Divided = "train"
    classes: ClassOrder = None

    def for_folder(self) -> Self:
        return self.model_copy(update={"classes": None, "layout": None})

    def class_names(self, folder: Path) -> tuple[str, ...]:
        listing = self._list(folder)
        names = {entry.name for entry in listing.folders if any(files_below(entry.path))}
        return order_classes(names, configured_classes(self.classes, folder))

    def items(self, folder: Path) -> Iterator[Item | Problem]:
        """List the files of the class folders.

        Raises:
            DatasetError: the folder is missing, there are no classes in it, or two that look alike.
        """
        listing, configured = self._list(folder), configured_classes(self.classes, folder)
        yield from listing.problems
        numbers = {name: number for number, name in enumerate(self.class_names(folder))}
        respelled: set[str] = set()
        for entry, split in zip(listing.folders, listing.splits, strict=True):
            folder_name = relative_name(entry.path, folder)
            if not any(files_below(entry.path)):
                yield Problem(folder_name, "an empty class folder")
            elif entry.name not in numbers:
                hint = did_you_mean(entry.name, configured or ())
                yield Problem(folder_name, f"no class that source.classes names{hint}")
                continue
            for path in files_below(entry.path):
                name = relative_name(path, folder)
                if name != path.relative_to(folder).as_posix():
                    twin = folder / name
                    if name in respelled or (twin.exists() and not twin.samefile(path)):
                        yield Problem(name, "named like another but for its accents' encoding")
                        continue
                    respelled.add(name)
                yield Item(name, path, numbers[entry.name], split)
        if not isinstance(self.classes, str):
            for name in set(configured or ()) - {entry.name for entry in listing.folders}:
                yield Problem(f"class {name}", "in source.classes, but there is no such folder")

    def layout_found(self, folder: Path) -> Sequence[str]:
        return [self._list(folder).note]

    def _list(self, folder: Path) -> _Listing:
        require_folder(folder, "the folder that holds one folder a class")
        layout = find_layout(folder, self.layout)
        listed = list(class_folders(folder, layout))
        folders = [entry for entry in listed if isinstance(entry, ClassFolder)]
        splits, sentence = divide([entry.split for entry in folders], self.divided)
        note = f"layout: {_IN_WORDS[layout.nesting]}"
        if layout.root != folder:
            note += f", in {relative_name(layout.root, folder)}"
        names = {folder / self.classes} if isinstance(self.classes, str) else set()
        problems = [
            entry
            for entry in listed
            if isinstance(entry, Problem) and folder / entry.path not in names
        ]
        return _Listing(
            tuple(folders),
            tuple(splits),
            tuple(problems),
            f"{note}; {sentence}" if sentence else note,
        )
