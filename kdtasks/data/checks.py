"""What a dataset must be to serve: no problems, no contradictions, two classes, no leaks."""

import hashlib
from dataclasses import replace
from functools import partial
from itertools import compress
from typing import Any

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Duplicate, Problem
from kdtasks.core.text import quantity
from kdtasks.data.groups import join_groups, join_pairs, lowest_positions
from kdtasks.data.margins import is_plain, without_margins
from kdtasks.data.near_copies import near_copies
from kdtasks.data.prepared import SPLITS
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.data.spool import transformed
from kdtasks.data.stacked_rows import rows_of
from kdtasks.tasks.registry import task_of

LISTED = 20
# Digests of images that are compared at once.
_COMPARED = 50_000


def exclude_contradictions(dataset: RawDataset) -> RawDataset:
    """Exclude every image that is there under another class too, as a problem."""
    reasons = {
        row: f"the same image as {dataset.origins[other]}, which is of another class"
        for row, other in contradicting_rows(dataset).items()
    }
    return dataset.exclude(reasons, fault=True)


def exclude_absent_classes(dataset: RawDataset) -> RawDataset:
    """Exclude classes that occur nowhere, as problems, and number the rest anew."""
    present = dataset.label_counts().total() > 0
    if present.all():
        return dataset
    absent = compress(dataset.class_names, ~present)
    problems = [Problem(f"class {name}", "occurs in no usable image") for name in absent]
    task, new = task_of(dataset.task), np.cumsum(present) - 1
    relabel = partial(task.relabel, new=new)
    labels = transformed(dataset.labels, relabel) if task.per_pixel else relabel(dataset.labels)
    return replace(
        dataset,
        labels=labels,
        class_names=tuple(compress(dataset.class_names, present)),
        problems=(*dataset.problems, *problems),
    )


def refuse_unusable(dataset: RawDataset, params: DataParams) -> None:
    """Refuse a dataset with problems (`on_bad: fail`), or with nothing to learn from.

    Raises:
        DatasetError: listing all problems, up to 20 of them in full.
    """
    place = params.path if params.source.is_folder else params.source.name
    num_classes = len(dataset.class_names)
    if dataset.problems and params.on_bad == "fail":
        lines = [f"{problem.path}: {problem.problem}" for problem in dataset.problems]
        if num_classes < 2:
            lines.append(f"classes left: {num_classes}, at least two are needed")
        raise DatasetError(
            f"{place} has {quantity(len(lines), 'problem')}; fix them, or set data.on_bad to skip "
            f"to go on without what they name:\n{listed(lines)}"
        )
    if num_classes < 2:
        names = f" ({', '.join(dataset.class_names)})" if num_classes else ""
        excluded = f", with {quantity(len(dataset.problems), 'problem')} excluded"
        raise DatasetError(
            f"{place} holds {num_classes or 'no'} usable class{names}"
            f"{excluded if dataset.problems else ''}, at least two were expected; add images of "
            "another class"
        )


def exclude_leaks(dataset: RawDataset) -> RawDataset:
    """Exclude images that are in a given split too, or nearly so, such as an official test set.

    Of a group in several given splits, the images of the last one in `SPLITS` stay. Of a group that
    the user named the same holds.
    """
    if dataset.given is None:
        return dataset
    rank = np.array([("", *SPLITS).index(name) for name in dataset.given])
    first, reasons = same_images(dataset), {}
    groups = first if dataset.groups is None else join_groups(first, dataset.groups)
    for rows in shared_rows(groups):
        kept = rows[rank[rows] == rank[rows].max()]
        official = f"the given {dataset.given[kept[0]]} set"
        for row in np.setdiff1d(rows, kept).tolist():
            equal = kept[first[kept] == first[row]]
            twin, how = (equal[0], "the same image as") if len(equal) else (kept[0], "grouped with")
            reasons[row] = f"{how} {dataset.origins[twin]} of {official}"
    return dataset.exclude(reasons, fault=False)


def listed(lines: list[str]) -> str:
    """Indent lines, at most 20, and say how many more there are."""
    more = [f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "\n".join(f"  {line}" for line in [*lines[:LISTED], *more])


def first_equal(images: Any) -> np.ndarray:
    """For each image the first row with the same pixels (SHA-256): int64 [N]."""
    digests = transformed(images, _digests)
    # equal ones have equal beginnings, so that some beginnings are compared at a time
    beginnings = digests[:, 0].astype(np.uint16) * 256 + digests[:, 1]
    first = np.empty(len(digests), np.int64)
    parts = len(digests) // _COMPARED + 1
    for part in range(parts):
        rows = np.flatnonzero(beginnings % parts == part)
        some = np.ascontiguousarray(digests[rows]).view("S32").reshape(-1)
        _, heads, members = np.unique(some, return_index=True, return_inverse=True)
        first[rows] = rows[heads][members]
    return first


def _digests(images: np.ndarray) -> np.ndarray:
    found = b"".join(hashlib.sha256(image.tobytes()).digest() for image in images)
    return np.frombuffer(found, np.uint8).reshape(-1, 32)


def same_images(dataset: RawDataset) -> np.ndarray:
    """As `first_equal`, but patches of one colour are the same as none: many photos have them."""
    first = first_equal(dataset.images)
    if task_of(dataset.task).per_pixel:
        shared = np.bincount(first, minlength=len(first))[first] > 1
        rows = np.flatnonzero(shared)
        plain = rows[is_plain(rows_of(dataset.images, rows))]
        first[plain] = plain
    return first


def shared_rows(groups: np.ndarray) -> list[np.ndarray]:
    """List the rows of every group of two or more images; `groups` are int [N], from 0."""
    shared = np.flatnonzero(np.bincount(groups)[groups] > 1)
    if not len(shared):
        return []
    order = shared[np.argsort(groups[shared], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def mark_groups(dataset: RawDataset, *, near: bool) -> RawDataset:
    """List duplicates and `copies`, and let `groups` hold them together, at one place.

    Args:
        dataset: whose `groups` are what else belongs together.
        near: whether near copies belong together as well.
    """
    first, task = same_images(dataset), task_of(dataset.task)

    def label_name(row: int) -> str:
        return task.label_name(dataset.labels[row], dataset.class_names)

    is_labelled = dataset.label_counts().labelled()
    duplicates = [
        Duplicate(
            tuple(dataset.origins[row] for row in rows),
            tuple(
                label_name(row)
                for row in _distinct_labels(dataset, rows).values()
                if is_labelled[row]
            ),
        )
        for rows in shared_rows(first)
    ]
    groups = first if dataset.groups is None else join_groups(first, dataset.groups)
    images = dataset.images
    if near and task.per_pixel:
        images = transformed(images, without_margins)
    pairs = near_copies(images) if near else np.empty((0, 2), np.int64)
    if len(pairs):
        groups = join_pairs(groups, pairs)
    positions = dataset.split_positions
    if positions is not None:  # now, since what is excluded later has a say as well
        members = np.unique(groups, return_inverse=True)[1]
        positions = lowest_positions(positions, members)[members]
    return replace(
        dataset,
        duplicates=tuple(duplicates),
        groups=groups,
        split_positions=positions,
        copies=pairs,
    )


def contradicting_rows(dataset: RawDataset) -> dict[int, int]:
    """For each image that is there with another label too, the first such other one."""
    other: dict[int, int] = {}
    for rows in shared_rows(first_equal(dataset.images)):
        heads = _distinct_labels(dataset, rows)
        if len(heads) > 1:
            for row, label in zip(rows.tolist(), _comparable_labels(dataset, rows), strict=True):
                other[row] = next(head for each, head in heads.items() if each != label)
    return other


def _distinct_labels(dataset: RawDataset, rows: np.ndarray) -> dict[bytes, int]:
    """The first row of each distinct label (or mask) among `rows`, by `_comparable_labels`."""
    seen: dict[bytes, int] = {}
    for row, label in zip(rows.tolist(), _comparable_labels(dataset, rows), strict=True):
        seen.setdefault(label, row)
    return seen


def _comparable_labels(dataset: RawDataset, rows: np.ndarray) -> list[bytes]:
    """Labels of equal images as bytes; of masks the pixels that all of them have labelled."""
    labels = dataset.labels[rows]
    if dataset.ignore_label is not None:
        unlabelled = (labels == dataset.ignore_label).any(axis=0)
        labels = np.where(unlabelled, dataset.ignore_label, labels)
    return [label.tobytes() for label in labels]
