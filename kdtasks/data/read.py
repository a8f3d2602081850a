"""Read a source: list its items, choose among them, decode what was chosen."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.progress import with_progress
from kdtasks.core.records.data import Problem
from kdtasks.core.text import quantity
from kdtasks.core.threads import in_order
from kdtasks.data.decoded_images import DecodedImages
from kdtasks.data.group_proposals import propose_groups
from kdtasks.data.groups import join_groups, named_groups, number_groups, split_position
from kdtasks.data.image_reader import ImageReader
from kdtasks.data.prepared import SPLITS
from kdtasks.data.raw_dataset import RawDataset, UnusableFileError
from kdtasks.data.settings import DataParams
from kdtasks.data.sources import Example, Item
from kdtasks.data.split import sample_stratified
from kdtasks.data.spool import Spool
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
    entries = list(source.items(folder))
    problems = [entry for entry in entries if isinstance(entry, Problem)]
    items = [entry for entry in entries if isinstance(entry, Item)]
    names = named_groups([item.name for item in items], params.group_by)
    name_of = dict(zip(map(id, items), names, strict=True))
    class_names = source.class_names(folder)
    _refuse_contradictory(items, len(class_names))
    chosen: list[Item] = []
    made = _Examples()
    positions: list[float] = []
    budget = PixelBudget(params.max_pixels)
    reader = ImageReader(params.max_pixels, params.range, decoded, budget)
    with quiet_decoding():
        source, notes = source.resolved(folder, items, reader)
        rows = _choose(items, params.model_copy(update={"source": source}), reader, problems)
        depth = survey_depth([item.image for item in rows], reader)
        reader = replace(reader, deep_range=depth.decoder.deep_range)

        def read(item: Item) -> tuple[Sequence[Example], float]:
            with reader.room(item.image, params.image_size):
                cut = source.examples(folder, item, reader, params.image_size, params.channels)
                stable = params.stable_split
                return cut, _split_position(
                    item, name_of[id(item)], params.seed, reader
                ) if stable else 0.0

        results = with_progress(in_order(_attempted(read), rows), len(rows), "reading images")
        for item, result in zip(rows, results, strict=True):
            if isinstance(result, Problem):
                problems.append(result)
                continue
            examples, position = result
            chosen += [item] * len(examples)
            positions += [position] * len(examples)
            made.extend(examples)
    images, labels = made.arrays()
    given = np.array([item.split or "" for item in chosen])
    weights = np.array([item.weight for item in chosen], np.float32)
    dataset = RawDataset(
        task=source.task,
        images=images,
        labels=labels,
        class_names=class_names,
        origins=tuple(made.names),
        ignore_label=source.ignore_label,
        problems=tuple(sorted(problems)),
        groups=_groups(chosen, [name_of[id(item)] for item in chosen]),
        weights=weights if (weights != 1.0).any() else None,
        split_positions=np.array(positions) if params.stable_split else None,
        given=given if given.any() else None,
        deep_range=reader.deep_range,
        headers={
            item.name: depth.headers[item.image]
            for item in rows
            if isinstance(item.image, Path) and item.image in depth.headers
        },
        notes=(
            *source.layout_found(folder),
            *notes,
            *_taken(rows, items),
            *depth.notes,
            *source.remarks(),
        ),
        warnings=(*source.warnings(folder), *_warnings(items, params)),
    )
    pixels, unanswered = tuple(range(1, labels.ndim)), task_of(source.task).unanswered
    waits = np.concatenate([(part == unanswered).any(axis=pixels) for part in in_parts(labels)])
    unlabelled = np.flatnonzero(~waits & (dataset.class_weights().sum(axis=1) == 0))
    return dataset.exclude(dict.fromkeys(unlabelled.tolist(), "no labelled pixel"), fault=False)


def _taken(rows: Sequence[Item], items: Sequence[Item]) -> Sequence[str]:
    if len(rows) == len(items):
        return ()
    return [f"{len(rows):,} of {quantity(len(items), 'image')} are taken (data.max_images)"]


def _warnings(items: Sequence[Item], params: DataParams) -> tuple[str, ...]:
    """Propose groups where names look like it and nobody has said what belongs together."""
    if params.group_by is not None or any(item.group is not None for item in items):
        return ()
    strata = [(item.label if isinstance(item.label, int) else None, item.split) for item in items]
    _, sentence = propose_groups([item.name for item in items], strata)
    return (sentence,) if sentence else ()


def _refuse_contradictory(items: Sequence[Item], num_classes: int) -> None:
    """Refuse labels and splits that there are not, and groups that straddle given splits."""
    splits_of: dict[str, set[str | None]] = {}
    for item in items:
        if isinstance(item.label, int) and not 0 <= item.label < num_classes:
            raise DatasetError(
                f"{item.name} has the label {item.label}, 0…{num_classes - 1} were expected; "
                "correct its label, or download the official files again"
            )
        if item.split not in (None, *SPLITS):
            raise DatasetError(
                f"{item.name} is of split {item.split!r}; the splits are {', '.join(SPLITS)}"
            )
        if item.group is not None:
            splits_of.setdefault(item.group, set()).add(item.split)
    for group, splits in splits_of.items():
        if len(splits) > 1:
            names = sorted(name or "none" for name in splits)
            raise DatasetError(
                f"group {group!r} has images of the splits {', '.join(names)}; a group stays "
                "together: give all of its images one split, or none of them"
            )


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


class _Examples:
    """Collects examples as they are read: their names, and their pixels and masks in files."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._images, self._labels = Spool(), Spool()
        self._shape: tuple[int, ...] = ()

    def extend(self, examples: Sequence[Example]) -> None:
        """Append examples; raise DatasetError where one has another shape than the first."""
        for name, image, label in examples:
            self._shape = self._shape or image.shape
            if image.shape != self._shape:
                raise DatasetError(
                    f"{name} is of shape {image.shape}, {self.names[0]} of {self._shape}; set "
                    "data.image_size and data.channels, so that all are alike"
                )
            self.names.append(name)
            self._images.extend(image[np.newaxis])
            self._labels.extend(label[np.newaxis])

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels; numbers of classes are in memory."""
        if not self.names:
            return np.empty((0, 1, 1, 1), np.uint8), np.empty(0, np.int32)
        labels = self._labels.array()
        return self._images.array(), labels if labels.ndim > 1 else np.array(labels)


def _groups(items: Sequence[Item], named: Sequence[str | None]) -> np.ndarray | None:
    """Number what stays together: a group of the source, a named one, the examples of one item."""
    of_source = [id(item) if item.group is None else item.group for item in items]
    of_user = [id(item) if name is None else name for item, name in zip(items, named, strict=True)]
    groups = join_groups(number_groups(of_source), number_groups(of_user))
    return groups if len(np.unique(groups)) < len(items) else None


def _split_position(item: Item, name: str | None, seed: int, reader: ImageReader) -> float:
    """Where an item's examples lie by its group's name, or else by the whole image's content."""
    group, image = item.group if name is None else name, item.image
    if group is not None:
        return split_position(f"group {group}".encode(), seed)
    if isinstance(image, Path):
        content = reader.content(image)
        return split_position(content.data if content else image.read_bytes(), seed)
    return split_position(image.tobytes(), seed)
