"""What a dataset must be to serve: no problems, no contradictions, two classes, no leaks."""

import hashlib
from dataclasses import replace
from itertools import compress

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.records.data import Duplicate, Problem
from kdtasks.core.text import quantity
from kdtasks.data.prepared import SPLITS
from kdtasks.data.raw_dataset import RawDataset
from kdtasks.data.settings import DataParams
from kdtasks.tasks.registry import task_of

LISTED = 20


def exclude_contradictions(dataset: RawDataset) -> RawDataset:
    """Exclude every image that is there under another class too, as a problem."""
    reasons = {
        row: f"the same image as {dataset.origins[other]}, which is of another class"
        for row, other in contradicting_rows(dataset).items()
    }
    return dataset.exclude(reasons, fault=True)


def exclude_absent_classes(dataset: RawDataset) -> RawDataset:
    """Exclude classes that occur nowhere, as problems, and number the rest anew."""
    present = dataset.class_weights().sum(axis=0) > 0
    if present.all():
        return dataset
    absent = compress(dataset.class_names, ~present)
    problems = [Problem(f"class {name}", "occurs in no usable image") for name in absent]
    return replace(
        dataset,
        labels=task_of(dataset.task).relabel(dataset.labels, np.cumsum(present) - 1),
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
    """Exclude images that are in a given split too, such as an official test set.

    Of equal images in several given splits, those of the last one in `SPLITS` stay.
    """
    if dataset.given is None:
        return dataset
    rank = np.array([("", *SPLITS).index(name) for name in dataset.given])
    reasons = {}
    for rows in duplicate_rows(first_equal(dataset.images)):
        twin = rows[rank[rows].argmax()]
        for row in rows[rank[rows] < rank[twin]]:
            official = f"the official {dataset.given[twin]} set"
            reasons[int(row)] = f"the same image as {dataset.origins[twin]} of {official}"
    return dataset.exclude(reasons, fault=False)


def listed(lines: list[str]) -> str:
    """Indent lines, at most 20, and say how many more there are."""
    more = [f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "\n".join(f"  {line}" for line in [*lines[:LISTED], *more])


def first_equal(images: np.ndarray) -> np.ndarray:
    """For each image the first row with the same pixels (SHA-256): int64 [N]."""
    digests = np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in images], str)
    _, first, members = np.unique(digests, return_index=True, return_inverse=True)
    return first[members]


def duplicate_rows(first: np.ndarray) -> list[np.ndarray]:
    """List the rows of every group of two or more equal images; `first` as of `first_equal`."""
    order = np.argsort(first, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(first[order])) + 1)
    return [group for group in groups if len(group) > 1]


def mark_duplicates(dataset: RawDataset) -> RawDataset:
    """List duplicates in `duplicates`, and let `groups` hold them together too."""
    first, task = first_equal(dataset.images), task_of(dataset.task)

    def label_name(row: int) -> str:
        return task.label_name(dataset.labels[row], dataset.class_names)

    duplicates = [
        Duplicate(
            tuple(dataset.origins[row] for row in rows),
            tuple(map(label_name, _distinct_labels(dataset, rows).values())),
        )
        for rows in duplicate_rows(first)
    ]
    groups = first if dataset.groups is None else join_groups(first, dataset.groups)
    return replace(dataset, duplicates=tuple(duplicates), groups=groups)


def join_groups(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Join two groupings: rows are together if a chain of either leads from one to the other.

    Args:
        one: int [N], the group of each row.
        other: the same, for the other grouping.

    Returns:
        int64 [N], numbers from 0.
    """
    # Takes a third of a second, and most datasets have one grouping only.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, left = np.unique(one, return_inverse=True)
    _, right = np.unique(other, return_inverse=True)
    if not len(left):
        return left.astype(np.int64)
    right += left.max() + 1
    size = right.max() + 1
    links = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    return component[left].astype(np.int64)


def contradicting_rows(dataset: RawDataset) -> dict[int, int]:
    """For each image that is there with another label too, the first such other one."""
    other: dict[int, int] = {}
    for rows in duplicate_rows(first_equal(dataset.images)):
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
