"""How the folders of images with a class each are nested, found out from their names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.data.class_names import class_name, refuse_look_alikes
from kdtasks.data.folders import (
    broken,
    files_below,
    inner_folders,
    is_broken,
    relative_name,
    visible_entries,
)
from kdtasks.data.given_splits import split_named

Nesting = Literal["class", "split/class", "class/split"]


class Layout(NamedTuple):
    """Where the folders of classes are.

    Attributes:
        root: the folder that the outermost of them lie in.
        nesting: what folders stand for, from the outermost to the innermost.
    """

    root: Path
    nesting: Nesting


class ClassFolder(NamedTuple):
    """A folder of images of one class, of any depth, and the split that they were given."""

    path: Path
    name: str
    split: str | None


def find_layout(folder: Path, nesting: Nesting | None) -> Layout:
    """Find out how folders are nested; whatever else a folder is named is a class.

    Args:
        folder: which may hold the folder that holds the classes, and nothing else.
        nesting: what the user says; None is found out.

    Raises:
        DatasetError: there are no folders, or those of splits hold no folders of classes.
    """
    root, inner = folder, inner_folders(folder)
    while len(inner) == 1 and inner_folders(inner[0]):
        root, inner = inner[0], inner_folders(inner[0])
    if not inner and visible_entries(root) and not any(map(is_broken, visible_entries(root))):
        raise DatasetError(
            f"{root} holds files, but no folders; put each image into a folder of its class, as "
            f"{root}/cats/1.jpg; or, where names tell the class, as Abyssinian_12.jpg, set "
            "data.source to file_names; or list the classes in a table (data.source: table)"
        )
    if nesting:
        return Layout(root, nesting)
    splits = {path: split_named(path.name) for path in inner}
    given = set(splits.values()) - {None}
    if inner and (None not in splits.values() or ("train" in given and len(given) > 1)):
        if any(inner_folders(path) for path, split in splits.items() if split):
            return Layout(root, "split/class")
        if None not in splits.values():
            example = next((file for path in inner for file in visible_entries(path)), inner[0])
            raise DatasetError(
                f"{' and '.join(path.name for path in inner)} hold images, but no folders of "
                f"classes, so it is unclear what {relative_name(example, folder)} shows; put each "
                f"image into a folder of its class, as {inner[0].name}/cats/{example.name}, or "
                "list the classes in a table (data.source: table)"
            )
    deeper = {split_named(path.name) for outer in inner for path in inner_folders(outer)} - {None}
    return Layout(root, "class/split" if "train" in deeper and len(deeper) > 1 else "class")


def class_folders(folder: Path, layout: Layout) -> Iterator[ClassFolder | Problem]:
    """List the folders of classes, empty ones too; a problem stands for whatever is none.

    Raises:
        DatasetError: two names of classes look like one.
    """
    outer, inner = layout.nesting.partition("/")[::2]
    tops = list(_listed(folder, layout.root, outer))
    pairs: list[tuple[Path, Path]] = []
    for top in tops:
        if isinstance(top, Problem):
            yield top
            continue
        subs = list(_listed(folder, top, inner)) if inner else [top]
        if inner == "class" and not any(isinstance(sub, Path) for sub in subs):
            yield Problem(relative_name(top, folder), _without_classes(folder, top))
            continue
        for sub in subs:
            if isinstance(sub, Problem):
                yield sub
            else:
                pairs.append((top, sub))
    of_class, of_split = (1, 0) if inner == "class" else (0, 1 if inner else None)
    names = {pair[of_class].name for pair in pairs}
    parents: dict[Path, set[str]] = {}
    for pair in pairs:
        parents.setdefault(pair[of_class].parent, set()).add(pair[of_class].name)
    for siblings in parents.values():  # in one folder, where not even spaces may tell them apart
        refuse_look_alikes(sorted(siblings))
    refuse_look_alikes(sorted(set(map(class_name, names))))
    for pair in pairs:
        split = None if of_split is None else split_named(pair[of_split].name)
        yield ClassFolder(pair[1], class_name(pair[of_class].name), split)


def _listed(folder: Path, parent: Path, what: str) -> Iterator[Path | Problem]:
    """List the folders in a folder, each a class or a split."""
    for path in visible_entries(parent):
        name = relative_name(path, folder)
        if is_broken(path):
            yield Problem(name, broken(path))
        elif not path.is_dir():
            yield Problem(name, f"beside the {what} folders, not in one of them")
        elif what == "split" and split_named(path.name) is None:
            yield Problem(name, "beside the split folders, and no name of a split")
        else:
            yield path


def _without_classes(folder: Path, split: Path) -> str:
    example = next((relative_name(path, folder) for path in files_below(split)), None)
    if example is None:
        return "an empty split folder"
    return (
        f"no folders of classes in it, only images such as {example}; put them into such folders, "
        "or move the folder to data.unlabelled"
    )
