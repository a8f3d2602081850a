"""What a source must be to serve: no problems, no contradictions, two classes, no leaks."""

from dataclasses import replace

import numpy as np

from kdtasks.datasets.duplicates import contradicting_rows, duplicate_rows, first_equal
from kdtasks.datasets.source import Problem, Source
from kdtasks.errors import DatasetError
from kdtasks.params.data import DataParams

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
    new_label = np.arange(256 if source.task == "segmentation" else len(present))
    new_label[np.flatnonzero(present)] = np.arange(present.sum())
    absent = [
        Problem(f"class {name}", "occurs in no usable picture")
        for name, here in zip(source.class_names, present, strict=True)
        if not here
    ]
    return replace(
        source,
        labels=new_label[source.labels].astype(source.labels.dtype),
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
