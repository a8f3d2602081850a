"""Choose the test images that the page shows, the same for every model where they can be."""

from collections import Counter

import numpy as np
import numpy.typing as npt

from kdtasks.core.subset import evenly_spaced
from kdtasks.evaluate.metrics import changed_rows
from kdtasks.tasks.confusion import counted


def pick_examples(
    by_exit: npt.NDArray[np.integer],
    exit_index: npt.NDArray[np.integer],
    scores: npt.NDArray[np.floating],
    *,
    per_group: int = 12,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pick at most `per_group` rows that left at each exit, and as many that changed their answer.

    Where there are more, those are taken that lie evenly in the order of confidence, so that a
    strip goes from the most confident image to the least confident one.

    Args:
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
        picked.append(surest_first[evenly_spaced(range(len(rows)), per_group)])
    group_of = np.repeat(np.arange(exits + 1), [len(rows) for rows in picked])
    return np.concatenate(picked), group_of


def pick_mistakes(
    labels: npt.NDArray[np.integer],
    predicted: npt.NDArray[np.integer],
    scores: npt.NDArray[np.floating],
    *,
    per_pair: int = 4,
    max_rows: int = 60,
) -> npt.NDArray[np.int64]:
    """Pick wrong answers, the surest first: at most `per_pair` of a label and an answer.

    Args:
        labels, predicted: integer [N].
        scores: float [N], confidence where each row left.
    """
    wrong = np.flatnonzero(labels != predicted)
    wrong = wrong[np.argsort(-scores[wrong], kind="stable")]
    seen: Counter[tuple[int, int]] = Counter()
    picked = []
    for row in wrong.tolist():
        pair = int(labels[row]), int(predicted[row])
        seen[pair] += 1
        if seen[pair] <= per_pair:
            picked.append(row)
    return np.array(picked[:max_rows], np.int64)


def pick_differences(
    labels: npt.NDArray[np.integer],
    teacher: npt.NDArray[np.integer],
    student: npt.NDArray[np.integer],
    *,
    per_group: int = 12,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pick images that two models answer differently, by which of them is right.

    Args:
        labels, teacher, student: integer [N].

    Returns:
        rows, at most `per_group` where the teacher is right, then where the student is, then where
        neither is, of each kind evenly over the split; and how many images each kind has, [3].
    """
    kind = np.select([teacher == student, teacher == labels, student == labels], [3, 0, 1], 2)
    kinds = [np.flatnonzero(kind == index) for index in range(3)]
    shown = [rows[evenly_spaced(range(len(rows)), per_group)] for rows in kinds]
    return np.concatenate(shown), np.array([len(rows) for rows in kinds])


def pick_patches(
    labels: npt.NDArray[np.integer], ignore_label: int | None, *, count: int = 10
) -> npt.NDArray[np.int64]:
    """Pick patches by their labels alone, those of many classes first: int64 [at most count].

    Whoever looks at them sees every model on the same patches, chosen by none of them. Of patches
    with equally many classes those come first whose classes are the most even; of equals the
    earlier.

    Args:
        labels: integers [N, height, width].
    """
    counts = np.array(
        [np.bincount(mask[counted(mask, ignore_label)], minlength=256) for mask in labels]
    )
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(fractions * np.log(fractions), axis=1)
    most_first = np.lexsort((np.round(-entropy, 9), -(counts > 0).sum(axis=1)))
    return np.sort(most_first[:count])
