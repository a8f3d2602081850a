"""What tells the classes of images before anyone has written params: folders, names, or a table."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from kdtasks.core.errors import DatasetError
from kdtasks.core.text import and_list
from kdtasks.data.folders import files_below, inner_folders, relative_name, visible_entries
from kdtasks.data.given_splits import split_named
from kdtasks.data.mask_proposals import OF_MASKS, lie_beside, masked, masks_inside
from kdtasks.data.proposal import Proposal, source_of
from kdtasks.data.sources import Item, Source
from kdtasks.data.sources.file_names import FileNames
from kdtasks.data.sources.table import ImageTable
from kdtasks.data.tables import ENDINGS, PLAIN_ENDING
from kdtasks.edge.formats import IMAGE_LIKE, SUFFIXES
from kdtasks.tasks.registry import task_of

_UNLABELLED = re.compile(r"(un|not?[ _-]?)label(l?ed|s)?", re.I)
_OF_NOTES = re.compile(r"annotations?|meta(data)?|xmls?", re.I)
# Of masks and images; where there are more folders, one that is named like masks is a class.
_MOST_FOLDERS = 4
# Each wants a group of every class.
_SPLITS = 4


def find_source(images: Path, masks: Path | None = None, task: str | None = None) -> Proposal:
    """Find out what reads a folder of images or a table; nothing is copied.

    Args:
        images: a folder in any layout, with or without a table in it, or a table.
        masks: folder of their masks, in that of the images or elsewhere.
        task: `classification` or `segmentation`; None goes by whether there are masks.

    Raises:
        DatasetError: nothing that is known fits, and what was expected.
    """
    if not images.exists():
        raise DatasetError(f"{images} not found; give a folder of images, or a table of them")
    if task is None:
        wants_masks = masks is not None or (images.is_dir() and masks_inside(images) is not None)
    else:
        wants_masks = task_of(task.lower()).per_pixel
    if masks is not None and not wants_masks:
        raise DatasetError("--masks are for segmentation; leave out --task, or --masks")
    return (
        masked(images, masks)
        if wants_masks
        else _labelled(images, is_classification=task is not None)
    )


def _labelled(images: Path, *, is_classification: bool) -> Proposal:
    """Find the source whose way of telling classes this is, and the folder that it reads.

    Args:
        is_classification: whether the user said so: nothing in it is a mask then.
    """
    if images.is_file():
        if images.suffix.lower() not in ENDINGS:
            raise DatasetError(
                f"{images} is no table; give a folder of images, or a table: {', '.join(ENDINGS)}"
            )
        return _by_table(ImageTable(file=images.name), images.parent)
    if not is_classification:
        _refuse_masks(images)
        _refuse_unlabelled(images)
    reasons: list[str] = []
    for name in tables_in(images):
        if _tells_classes(ImageTable(file=name), images, reasons):
            return _by_table(ImageTable(file=name), images)
    inner = _folder_of_images(images)
    has_folders = bool(inner_folders(inner))
    if not has_folders and not is_classification and lie_beside(inner):
        return masked(inner, inner)
    source = source_of(name="image_folder" if has_folders else "file_names")
    if _tells_classes(source, inner, reasons):
        notes: list[str] = []
        listed = {} if has_folders else _lists_of_splits(images, inner, notes)
        if not listed:
            moved = [f"data.path is {inner}: nothing beside it holds classes"] * (inner != images)
            return Proposal(source, inner, notes=moved + notes)
        name = relative_name(inner, images)
        listing = source_of(name="file_names", images=name, lists=listed)
        return Proposal(listing, images, notes=notes)
    if not any(path.suffix.lower() in IMAGE_LIKE for path in files_below(images)):
        raise DatasetError(f"{images} holds no image at any depth; give the folder that holds them")
    tables = tables_in(images.resolve().parent)
    beside = f"; if {tables[0]} beside it names them, give {images.parent} or it" if tables else ""
    raise DatasetError(
        f"nothing tells what the images in {images} show; put each into a folder of its class, as "
        f"{images.name}/cats/1.jpg, or give the folder above if it is a class itself, or a table "
        "of names and classes in place of the folder"
        f"{beside}" + "".join(f" ({reason})" for reason in reasons[:1])
    )


def _tells_classes(source: Source, folder: Path, reasons: list[str]) -> bool:
    """Whether a source finds several classes; a reason why not is added to the others."""
    try:
        items = [item for item in source.items(folder) if isinstance(item, Item)]
    except DatasetError as error:
        reasons.append(str(error))
        return False
    counts = Counter(item.label for item in items)
    alone = [item.name for item in items if counts[item.label] == 1]
    if isinstance(source, FileNames) and len(alone) > max(_SPLITS, len(items) / 2):
        reasons.append(f"by their names most would be alone in their class, such as {alone[0]}")
        return False
    return len(counts) > 1


def _refuse_masks(images: Path) -> None:
    """Refuse folders of images beside folders of masks, which would become classes."""
    outer = images.parent if images.name.lower() == "leftimg8bit" else images
    folders = inner_folders(outer)
    drawn = [path for path in folders if OF_MASKS.fullmatch(path.name)]
    photos = [path for path in folders if path not in drawn]
    if drawn and photos and len(folders) <= _MOST_FOLDERS:
        photo = next((path for path in photos if not _OF_NOTES.fullmatch(path.name)), photos[0])
        raise DatasetError(
            f"{drawn[0]} seems to hold masks, no class: give `--images {photo} "
            f"--masks {drawn[0]}`, or `--task classification` if it is one"
        )


def _refuse_unlabelled(images: Path) -> None:
    """Refuse a folder of images without labels among those of classes, as it would be one."""
    for path in inner_folders(images):
        if _UNLABELLED.fullmatch(path.name):
            raise DatasetError(
                f"{path} seems to hold images without labels, no class: move it out of {images} "
                "and give it as `--unlabelled`, or `--task classification` if it is a class"
            )


def _folder_of_images(folder: Path) -> Path:
    """Go down where only one folder holds images, and others are notes on them."""
    folders = inner_folders(folder)
    having = [
        path
        for path in folders
        if not _OF_NOTES.fullmatch(path.name)
        and any(file.suffix.lower() in SUFFIXES for file in files_below(path))
    ]
    beside = len(folders) > 1 and any(_OF_NOTES.fullmatch(path.name) for path in folders)
    return _folder_of_images(having[0]) if beside and len(having) == 1 else folder


def _lists_of_splits(folder: Path, images: Path, notes: list[str]) -> dict[str, str]:
    """Find lists of the images of each split, such as `trainval.txt` and `test.txt`, by name.

    What is wrong with lists that are there is added to the notes.
    """
    list_of: dict[str, str] = {}
    others: list[str] = []
    for path in files_below(folder):
        split = split_named(path.stem) if path.suffix.lower() == PLAIN_ENDING else None
        if split:
            name = relative_name(path, folder)
            if list_of.setdefault(split, name) != name and split != "train":
                others.append(
                    f"{name} is passed over, as {list_of[split]} lists images of {split} too; put "
                    "both into one file"
                )
    if "train" not in list_of or len(list_of) == 1:
        return {}
    notes += others
    source = source_of(name="file_names", images=relative_name(images, folder), lists=list_of)
    reasons: list[str] = []
    if _tells_classes(source, folder, reasons):
        return list_of
    lists = and_list(list(list_of.values()))
    notes += [f"{lists} are not used, a new split is made: {reason}" for reason in reasons]
    return {}


def _by_table(source: ImageTable, folder: Path) -> Proposal:
    """Take the column that tells groups, and a folder of which no row names an image."""
    changes: dict[str, Any] = {}
    notes = []
    if column := source.group_column(folder, least=_SPLITS):
        changes["columns"] = {**source.columns, "group": column}
        notes.append(
            f"images of one {column!r} stay in one split; set data.source.columns.group to null if "
            "they are independent"
        )
    named, surplus = (
        {path.parent != folder and path.relative_to(folder).parts[0] for path in paths}
        for paths in source.named_and_surplus(folder)
    )
    unlabelled = None
    if len(named) == len(surplus) == 1 and named != surplus and False not in named | surplus:
        changes["images"], other = named.pop(), str(surplus.pop())
        if not OF_MASKS.fullmatch(other):
            unlabelled = folder / other
            notes.append(f"no row names an image in {unlabelled}, so it is data.unlabelled")
    chosen = source.model_copy(update=changes)
    return Proposal(chosen, folder, notes=notes, unlabelled=unlabelled)


def tables_in(folder: Path) -> list[str]:
    """Name the tables in a folder, those of training images first."""
    names = [path.name for path in visible_entries(folder) if path.suffix.lower() in ENDINGS]
    return sorted(names, key=lambda name: (not name.lower().startswith(("train", "label")), name))
