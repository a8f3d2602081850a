"""Read a source: list its items, choose among them, decode what was chosen."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.progress import with_progress
from kdtasks.core.records.data import Problem
from kdtasks.core.text import quantity
from kdtasks.core.threads import in_order
from kdtasks.data.decoded_images import DecodedImages
from kdtasks.data.group_proposals import propose_groups
from kdtasks.data.groups import (
    group_named,
    join_groups,
    refuse_unnamed,
    renumbered,
    split_position,
)
from kdtasks.data.image_reader import ImageReader
from kdtasks.data.listing import Listing, list_items
from kdtasks.data.prepared import SPLITS
from kdtasks.data.raw_dataset import RawDataset, UnusableFileError
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import Example, Item
from kdtasks.data.split import sample_stratified
from kdtasks.data.spool import Spool, SpooledObjects
from kdtasks.data.stacked_rows import in_parts
from kdtasks.data.survey import survey_depth
from kdtasks.edge.decoder import Decoder, quiet_decoding
from kdtasks.edge.pixel_budget import PixelBudget
from kdtasks.tasks.registry import task_of

R = TypeVar("R")


def read_dataset(params: DataParams, decoded: DecodedImages | None = None) -> RawDataset:
    """Read every image at its final size; whatever is wrong is in `RawDataset.problems`.

    With `max_images`, items are chosen before any is decoded, so that a try-out of a large dataset
    is quick. Masks without a labelled pixel are excluded. Images are decoded in as many threads as
    the process is pinned to.

    Args:
        params: section `data`.
        decoded: images that need not be decoded again.

    Raises:
        DatasetError: the source cannot be read or contradicts itself, `max_images` is too small,
            `group_by` does not go with the names, or images differ in size.
    """
    source, folder = params.source, Path(params.path)
    listing = list_items(source, folder)
    items, problems = listing.items, listing.problems
    refuse_unnamed(listing.names, params.group_by)
    made = _Examples()
    budget = PixelBudget(params.max_pixels)
    reader = ImageReader(params.max_pixels, params.range, decoded, budget)
    with quiet_decoding():
        source, notes = source.resolved(folder, items, reader)
        rows = _choose(items, params.model_copy(update={"source": source}), reader, problems)
        depth = survey_depth(rows, reader)
        reader = replace(reader, deep_range=depth.decoder.deep_range)

        def read(item: Item) -> _Read:
            group = None if params.group_by is None else group_named(item.name, params.group_by)
            with reader.room(item.image, params.image_size):
                cut = source.examples(folder, item, reader, params.image_size, params.channels)
                stable = params.stable_split
                position = _split_position(item, group, params.seed, reader) if stable else 0.0
                return _Read(item, group, cut, position)

        results = in_order(_attempted(read), rows)
        for result in with_progress(results, len(rows), "reading images"):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                made.extend(result)
    images, labels = made.arrays()
    given, weights = made.given(), np.array(made.weights)
    dataset = RawDataset(
        task=source.task,
        images=images,
        labels=labels,
        class_names=listing.class_names,
        origins=made.names,
        ignore_label=source.ignore_label,
        problems=tuple(sorted(problems)),
        groups=made.groups(),
        weights=weights if (weights != 1.0).any() else None,
        split_positions=np.array(made.positions) if params.stable_split else None,
        given=given if given.any() else None,
        deep_range=reader.deep_range,
        headers=depth.headers,
        notes=(
            *source.layout_found(folder),
            *notes,
            *_taken(rows, items),
            *depth.notes,
            *source.remarks(),
        ),
        warnings=(*source.warnings(folder), *_proposed(listing, params)),
    )
    pixels, unanswered = tuple(range(1, labels.ndim)), task_of(source.task).unanswered
    waits = np.concatenate([(part == unanswered).any(axis=pixels) for part in in_parts(labels)])
    unlabelled = np.flatnonzero(~waits & ~dataset.label_counts().labelled())
    return dataset.exclude(dict.fromkeys(unlabelled.tolist(), "no labelled pixel"), fault=False)


def _taken(rows: Sequence[Item], items: Sequence[Item]) -> Sequence[str]:
    if len(rows) == len(items):
        return ()
    return [f"{len(rows):,} of {quantity(len(items), 'image')} are taken (data.max_images)"]


def _proposed(listing: Listing, params: DataParams) -> Sequence[str]:
    """Propose groups where names look like it and nobody has said what belongs together."""
    if params.group_by is not None or listing.has_groups:
        return ()
    _, sentence = propose_groups(listing.names, len(listing.strata))
    return [sentence] if sentence else ()


def _choose(
    items: Sequence[Item], params: DataParams, decoder: Decoder, problems: list[Problem]
) -> Sequence[Item]:
    """Choose `max_images` items by the rarest class in each, and by the split that it was given."""
    if params.max_images is None or params.max_images >= len(items):
        return items
    source, folder = params.source, Path(params.path)
    num_classes = len(source.class_names(folder))
    usable: list[Item] = []
    present: list[np.ndarray] = []

    def read(item: Item) -> np.ndarray:
        return np.isin(np.arange(num_classes), source.label_of(folder, item, decoder))

    for item, result in zip(items, in_order(_attempted(read), items), strict=True):
        if isinstance(result, Problem):
            problems.append(result)
        else:
            present.append(result)
            usable.append(item)
    positions = np.array([(None, *SPLITS).index(item.split) for item in usable])
    dealt = len(SPLITS) - len(np.unique(positions[positions > 0]))
    # the class that the fewest have, of those in each item; one more for none
    has = np.array(present)
    rarest = np.where(has, has.sum(axis=0), len(has) + 1).argmin(axis=1)
    strata = np.where(has.any(axis=1), rarest, num_classes) * (1 + len(SPLITS)) + positions
    needed = np.where(np.unique(strata) % (1 + len(SPLITS)), 1, dealt)
    rows = sample_stratified(strata, params.max_images, seed=params.seed, needed=needed)
    return [usable[row] for row in rows]


def _attempted(work: Callable[[Item], R]) -> Callable[[Item], R | Problem]:
    """Give a problem in the place of a result where an item cannot be used."""

    def attempt(item: Item) -> R | Problem:
        try:
            return work(item)
        except UnusableFileError as error:
            return error.problem
        except DatasetError as error:
            return Problem(item.name, str(error))

    return attempt


class _Read(NamedTuple):
    """What was read of an item; `group` is what its name stands for, as of `group_named`."""

    item: Item
    group: str | None
    examples: Sequence[Example]
    position: float


class _Examples:
    """Collects examples as they are read: in files, but for some numbers of each."""

    def __init__(self) -> None:
        self.names = SpooledObjects[str]()
        self.positions, self.weights = array("d"), array("f")
        self._images, self._labels = Spool(), Spool()
        self._shape: tuple[int, ...] = ()
        self._splits = array("b")
        # the first item of the group that the source gives, and of the one that the name tells
        self._of_source, self._of_name = array("i"), array("i")
        self._first: tuple[dict[str, int], dict[str, int]] = {}, {}
        self._count = 0
        self._several = False

    def extend(self, read: _Read) -> None:
        """Append examples; raise DatasetError where one has another shape than the first."""
        item, number = read.item, self._count
        self._count += 1
        self._several |= len(read.examples) > 1
        of_source, of_name = (
            number if group is None else first.setdefault(group, number)
            for group, first in zip((item.group, read.group), self._first, strict=True)
        )
        for name, image, label in read.examples:
            self._shape = self._shape or image.shape
            if image.shape != self._shape:
                raise DatasetError(
                    f"{name} is of shape {image.shape}, {self.names[0]} of {self._shape}; set "
                    "data.image_size and data.channels, so that all are alike"
                )
            self.names.append(name)
            self._images.extend(image[np.newaxis])
            self._labels.extend(label[np.newaxis])
            self.positions.append(read.position)
            self.weights.append(item.weight)
            self._splits.append(("", *SPLITS).index(item.split or ""))
            self._of_source.append(of_source)
            self._of_name.append(of_name)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels; numbers of classes are in memory."""
        if not len(self.names):
            return np.empty((0, 1, 1, 1), np.uint8), np.empty(0, np.int32)
        labels = self._labels.array()
        return self._images.array(), labels if labels.ndim > 1 else np.array(labels)

    def given(self) -> np.ndarray:
        """The split that each was given before, or ""."""
        return np.array(("", *SPLITS), object)[np.frombuffer(self._splits, np.int8)]

    def groups(self) -> np.ndarray | None:
        """Number what stays together: a group of the source, a named one, the examples of one item.

        Returns:
            int64 [N], or None where each is on its own.
        """
        if not self._several and not any(self._first):
            return None
        of_source, of_name = np.array(self._of_source), np.array(self._of_name)
        groups = join_groups(renumbered(of_source), renumbered(of_name))
        return groups if len(np.unique(groups)) < len(groups) else None


def _split_position(item: Item, name: str | None, seed: int, reader: ImageReader) -> float:
    """Where an item's examples lie by its group's name, or else by the whole image's content."""
    group, image = item.group if name is None else name, item.image
    if group is not None:
        return split_position(f"group {group}".encode(), seed)
    if isinstance(image, Path):
        content = reader.content(image)
        return split_position(content.data if content else image.read_bytes(), seed)
    return split_position(image.tobytes(), seed)
