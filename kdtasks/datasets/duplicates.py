"""Find pictures with equal pixels, and keep each group of them together."""

import hashlib
from dataclasses import replace

import numpy as np

from kdtasks.datasets.source import Duplicate, Source


def first_equal(images: np.ndarray) -> np.ndarray:
    """For each picture the first row with the same pixels (SHA-256): int64 [N]."""
    first: dict[bytes, int] = {}
    rows = [
        first.setdefault(hashlib.sha256(image.tobytes()).digest(), row)
        for row, image in enumerate(images)
    ]
    return np.array(rows, np.int64)


def duplicate_rows(first: np.ndarray) -> list[np.ndarray]:
    """List the rows of every group of two or more equal pictures; `first` as of `first_equal`."""
    order = np.argsort(first, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(first[order])) + 1)
    return [group for group in groups if len(group) > 1]


def mark_duplicates(source: Source) -> Source:
    """List duplicates in `duplicates`, and let `groups` hold them together too."""
    first = first_equal(source.images)
    duplicates = [
        Duplicate(
            tuple(source.origins[row] for row in rows),
            tuple(_label_name(source, row) for row in _distinct_labels(source, rows)),
        )
        for rows in duplicate_rows(first)
    ]
    groups = first if source.groups is None else join_groups(first, source.groups)
    return replace(source, duplicates=tuple(duplicates), groups=groups)


def join_groups(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Join two groupings: rows are together if a chain of either leads from one to the other.

    Arguments:
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
    right = right + left.max() + 1
    size = right.max() + 1
    links = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    return component[left].astype(np.int64)


def contradicting_rows(source: Source) -> dict[int, int]:
    """For each picture that is there with another label too, the first such other one."""
    other: dict[int, int] = {}
    for rows in duplicate_rows(first_equal(source.images)):
        heads = _distinct_labels(source, rows)
        for row in rows if len(heads) > 1 else ():
            same = np.array_equal(source.labels[row], source.labels[heads[0]])
            other[int(row)] = heads[1] if same else heads[0]
    return other


def _distinct_labels(source: Source, rows: np.ndarray) -> list[int]:
    """The first row of each distinct label (or mask) among `rows`."""
    seen: dict[bytes, int] = {}
    for row in rows:
        seen.setdefault(source.labels[row].tobytes(), int(row))
    return list(seen.values())


def _label_name(source: Source, row: int) -> str:
    """The class of a picture; of a mask, the one with the most pixels."""
    if source.task == "classification":
        return source.class_names[source.labels[row]]
    counts = np.bincount(source.labels[row].reshape(-1), minlength=256)
    return source.class_names[int(counts[: len(source.class_names)].argmax())]
