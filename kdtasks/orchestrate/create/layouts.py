"""What tells the classes of images before a project is begun: folders, names, or a table."""

import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from kdtasks.core.errors import DatasetError
from kdtasks.data.folders import files_below, visible_entries
from kdtasks.data.source_proposals import tables_in
from kdtasks.data.sources import Item, Source, sources
from kdtasks.data.sources.table import ImageTable
from kdtasks.data.tables import ENDINGS
from kdtasks.edge.formats import SUFFIXES

# Folders beside the images that hold what was drawn on them, and what is no class either.
_OF_MASKS = re.compile(r"(.*[_ -])?(gt(fine|coarse)?|masks?|segmentations?)", re.I)
_OF_NOTES = re.compile(r"annotations?|meta(data)?|xmls?", re.I)
# Of masks and images; where there are more folders, one that is named like masks is a class.
_MOST_FOLDERS = 4
# Each wants a group of every class.
_SPLITS = 4


def source_of(**content: Any) -> Source:
    """Make a source of its params."""
    source: Source = TypeAdapter(sources.union()).validate_python(content)
    return source


def labelled(images: Path, *, is_told: bool = False) -> tuple[Source, Path]:
    """Find the source whose way of telling classes this is, and the folder that it reads.

    Args:
        is_told: whether it is sure that nothing in it is a mask.
    """
    if images.is_file():
        if images.suffix.lower() not in ENDINGS:
            raise DatasetError(
                f"{images} is no table; give a folder of images, or a table: {', '.join(ENDINGS)}"
            )
        return source_of(name="table", file=images.name), images.parent
    if not is_told:
        _refuse_masks(images)
    tried = [(source_of(name="table", file=name), images) for name in tables_in(images)]
    inner = _folder_of_images(images)
    has_folders = any(path.is_dir() for path in visible_entries(inner))
    tried.append((source_of(name="image_folder" if has_folders else "file_names"), inner))
    reasons = []
    for source, path in tried:
        try:
            labels = [it.label for it in source.items(path) if isinstance(it, Item)]
        except DatasetError as error:
            reasons.append(str(error))
            continue
        if len(set(labels)) > 1:
            return source, path
    tables = tables_in(images.resolve().parent)
    beside = f"; if {tables[0]} beside it names them, give {images.parent} or it" if tables else ""
    raise DatasetError(
        f"nothing tells what the images in {images} show; put each into a folder of its class, as "
        f"{images.name}/cats/1.jpg, or give a table of names and classes as --images{beside}"
        + "".join(f" ({reason})" for reason in reasons[:1])
    )


def _refuse_masks(images: Path) -> None:
    """Refuse folders of images beside folders of masks, which would become classes."""
    outer = images.parent if images.name.lower() == "leftimg8bit" else images
    folders = [path for path in visible_entries(outer) if path.is_dir()]
    drawn = [path for path in folders if _OF_MASKS.fullmatch(path.name)]
    photos = [path for path in folders if path not in drawn]
    if drawn and photos and len(folders) <= _MOST_FOLDERS:
        photo = next((path for path in photos if not _OF_NOTES.fullmatch(path.name)), photos[0])
        raise DatasetError(
            f"{drawn[0]} seems to hold masks, no class: give `--images {photo} "
            f"--masks {drawn[0]}`, or `--task classification` if it is one"
        )


def _folder_of_images(folder: Path) -> Path:
    """Go down where only one folder holds images, and others are notes on them."""
    folders = [path for path in visible_entries(folder) if path.is_dir()]
    having = [
        path
        for path in folders
        if not _OF_NOTES.fullmatch(path.name)
        and any(file.suffix.lower() in SUFFIXES for file in files_below(path))
    ]
    beside = len(folders) > 1 and any(_OF_NOTES.fullmatch(path.name) for path in folders)
    return _folder_of_images(having[0]) if beside and len(having) == 1 else folder


def told_by_table(
    source: ImageTable, folder: Path, notes: list[str]
) -> tuple[ImageTable, Path | None]:
    """Take the column that tells groups, and a folder of which no row names an image."""
    changes: dict[str, Any] = {}
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
        if not _OF_MASKS.fullmatch(other):
            unlabelled = folder / other
            notes.append(f"no row names an image in {unlabelled}, so it is data.unlabelled")
    return source.model_copy(update=changes), unlabelled
