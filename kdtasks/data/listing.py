"""What a source lists, before any image is read."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Problem
from kdtasks.data.prepared import SPLITS
from kdtasks.data.sources import Item, Source
from kdtasks.data.spool import SpooledObjects


@dataclass(eq=False)
class Listing:
    """The items of a source, in files, and what is known of them all.

    Attributes:
        names: of the items.
        problems: what stands in the place of bad items.
        strata: what is told apart anyhow: each class and split that there is.
        has_groups: whether the source groups any.
    """

    class_names: tuple[str, ...]
    items: SpooledObjects[Item] = field(default_factory=SpooledObjects)
    names: SpooledObjects[str] = field(default_factory=SpooledObjects)
    problems: list[Problem] = field(default_factory=list)
    strata: set[Hashable] = field(default_factory=set)
    has_groups: bool = False


def list_items(source: Source, folder: Path) -> Listing:
    """Go through what a source lists.

    Raises:
        DatasetError: nothing can be read at all, there are labels or splits that there are not, or
            groups that straddle given splits.
    """
    listing = Listing(source.class_names(folder))
    splits_of: dict[str, set[str | None]] = {}
    for entry in source.items(folder):
        if isinstance(entry, Problem):
            listing.problems.append(entry)
            continue
        _refuse_unknown(entry, len(listing.class_names))
        if entry.group is not None:
            splits_of.setdefault(entry.group, set()).add(entry.split)
        listing.items.append(entry)
        listing.names.append(entry.name)
        listing.strata.add((entry.label if isinstance(entry.label, int) else None, entry.split))
    for group, splits in splits_of.items():
        if len(splits) > 1:
            names = sorted(name or "none" for name in splits)
            raise DatasetError(
                f"group {group!r} has images of the splits {', '.join(names)}; a group stays "
                "together: give all of its images one split, or none of them"
            )
    listing.has_groups = bool(splits_of)
    return listing


def _refuse_unknown(item: Item, num_classes: int) -> None:
    if isinstance(item.label, int) and not 0 <= item.label < num_classes:
        raise DatasetError(
            f"{item.name} has the label {item.label}, 0…{num_classes - 1} were expected; "
            "correct its label, or download the official files again"
        )
    if item.split not in (None, *SPLITS):
        raise DatasetError(
            f"{item.name} is of split {item.split!r}; the splits are {', '.join(SPLITS)}"
        )
