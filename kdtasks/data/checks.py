"""What a source must be to serve: no problems, no contradictions, two classes, no leaks."""

import hashlib
from dataclasses import replace

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.data.settings import DataParams
from kdtasks.data.source import Duplicate, Problem, Source
from kdtasks.tasks.registry import task_of

LISTED = 20


def leave_out_contradictions(source: Source) -> Source:
    """Leave out every picture that is there under another class too, where that is a problem."""
    if not source.contradictions_are_problems:
        return source
    reasons = {
        row: f"the same picture as {source.origins[other]}, which is of another class"
        for row, other in contradicting_rows(source).items()
    }
    return source.leave_out(reasons, fault=True)


def leave_out_absent_classes(source: Source) -> Source:
    """Leave out classes that occur nowhere, as problems, and number the rest anew."""
    present = source.class_weights().sum(axis=0) > 0
    if present.all():
        return source
    new_label = np.arange(len(present))
    new_label[np.flatnonzero(present)] = np.arange(present.sum())
    absent = [
        Problem(f"class {name}", "occurs in no usable picture")
        for name, here in zip(source.class_names, present, strict=True)
        if not here
    ]
    return replace(
        source,
        labels=task_of(source.task).relabel(source.labels, new_label),
        class_names=tuple(np.array(source.class_names, object)[present]),
        problems=(*source.problems, *absent),
    )


def refuse_unusable(source: Source, params: DataParams) -> None:
    """Refuse a source with problems (`on_bad: fail`), or with nothing to learn from.

    Raises:
        DatasetError: listing all problems, up to 20 of them in full.
    """
    place = params.path if params.name.endswith("_folder") else params.name
    num_classes = len(source.class_names)
    if source.problems and params.on_bad == "fail":
        lines = [f"{problem.path}: {problem.problem}" for problem in source.problems]
        if num_classes < 2:
            lines.append(f"classes left: {num_classes}, at least two are needed")
        raise DatasetError(
            f"{place} has {_count(len(lines), 'problem')}; mend them, or set data.on_bad to skip "
            f"to go on without what they name:\n{listed(lines)}"
        )
    if num_classes < 2:
        names = f" ({', '.join(source.class_names)})" if num_classes else ""
        left_out = f", with {_count(len(source.problems), 'problem')} left out"
        raise DatasetError(
            f"{place} holds {num_classes or 'no'} usable class{names}"
            f"{left_out if source.problems else ''}, at least two were expected; add pictures of "
            "another class"
        )


def leave_out_leaks(source: Source) -> Source:
    """Leave out training pictures that are in the official test set too."""
    if source.official_test is None:
        return source
    reasons = {}
    for rows in duplicate_rows(first_equal(source.images)):
        is_test = source.official_test[rows]
        for row in rows[~is_test] if is_test.any() else ():
            twin = source.origins[rows[is_test][0]]
            reasons[int(row)] = f"the same picture as {twin} of the official test set"
    return source.leave_out(reasons, fault=False)


def listed(lines: list[str]) -> str:
    """Indent lines, at most 20, and say how many more there are."""
    more = [f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "\n".join(f"  {line}" for line in [*lines[:LISTED], *more])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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
    first, task = first_equal(source.images), task_of(source.task)
    duplicates = [
        Duplicate(
            tuple(source.origins[row] for row in rows),
            tuple(
                task.label_name(source.labels[row], source.class_names)
                for row in _distinct_labels(source, rows)
            ),
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
