"""Pick the test pictures that show what early exits do: who leaves where, and who pays for it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Changed(NamedTuple):
    """Rows that left early with another answer than the last exit's, and who was right.

    Attributes:
        rows: how many.
        early_right, last_right: how many of them the early exit, or the last one, has right.
    """

    rows: int
    early_right: int
    last_right: int


def changed_rows(
    by_exit: NDArray[np.integer], exit_index: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Give the rows whose answer is not the last exit's.

    Arguments:
        by_exit: integer [N, K], the answer each exit would give.
        exit_index: integer [N], where each row left.
    """
    answered = by_exit[np.arange(len(by_exit)), exit_index]
    return np.flatnonzero(answered != by_exit[:, -1])


def count_changed(
    labels: NDArray[np.integer], by_exit: NDArray[np.integer], exit_index: NDArray[np.integer]
) -> Changed:
    """Count the changed answers; `labels` are [N], the rest as for `changed_rows`."""
    rows = changed_rows(by_exit, exit_index)
    early = by_exit[rows, exit_index[rows]] == labels[rows]
    last = by_exit[rows, -1] == labels[rows]
    return Changed(len(rows), int(early.sum()), int(last.sum()))


def pick_examples(
    by_exit: NDArray[np.integer],
    exit_index: NDArray[np.integer],
    scores: NDArray[np.floating],
    *,
    each: int = 12,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pick at most `each` rows that left at each exit, and as many that changed their answer.

    Where there are more, those are taken that lie evenly in the order of confidence, so that a
    strip goes from the surest picture to the least sure one.

    Arguments:
        by_exit: integer [N, K], the answer each exit would give.
        exit_index: integer [N], where each row left.
        scores: float [N, K], confidence of each exit.

    Returns:
        rows [M] and the group of each [M]: k for those that left at exit k, K for those that
        changed their answer.
    """
    exits = by_exit.shape[1]
    groups = [np.flatnonzero(exit_index == k) for k in range(exits)]
    groups.append(changed_rows(by_exit, exit_index))
    picked = []
    for rows in groups:
        surest_first = rows[np.argsort(-scores[rows, exit_index[rows]], kind="stable")]
        places = np.linspace(0, len(rows) - 1, min(each, len(rows))).round().astype(np.int64)
        picked.append(surest_first[places])
    group_of = np.repeat(np.arange(exits + 1), [len(rows) for rows in picked])
    return np.concatenate(picked), group_of
