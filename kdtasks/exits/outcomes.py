"""What combinations of thresholds come to: right answers and compute, in whole numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.exits.policy import apply_policy
from kdtasks.exits.rows import ExitRows


class Outcomes(NamedTuple):
    """P combinations of thresholds and what each comes to on the same pictures.

    Whole numbers are compared exactly: no rounding decides between two combinations.

    Attributes:
        thresholds: float64 [P, K − 1].
        correct: int64 [P], right answers.
        macs: int64 [P], multiply-accumulates of all pictures together.
    """

    thresholds: npt.NDArray[np.float64]
    correct: npt.NDArray[np.int64]
    macs: npt.NDArray[np.int64]


def outcomes_of(rows: ExitRows, thresholds: npt.ArrayLike) -> Outcomes:
    """Apply each combination of thresholds, [P, K − 1], to the rows one by one."""
    combinations = np.asarray(thresholds, np.float64)
    taken = [apply_policy(rows.scores, combination) for combination in combinations]
    pictures = np.arange(len(rows.scores))
    return Outcomes(
        combinations,
        np.array([rows.correct[pictures, exits].sum() for exits in taken], np.int64),
        np.array([rows.macs[exits].sum() for exits in taken], np.int64),
    )


def join_outcomes(parts: Sequence[Outcomes]) -> Outcomes:
    """Put outcomes on the same rows one after the other."""
    return Outcomes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def pareto_front(outcomes: Outcomes) -> Outcomes:
    """Keep the combinations that no other beats: cheapest first, each one more accurate.

    Of combinations that come to the same, the one with the highest thresholds stays.
    """
    order = np.lexsort((*_safest_first(outcomes), -outcomes.correct, outcomes.macs))
    correct = outcomes.correct[order]
    best_so_far = np.maximum.accumulate(correct)
    improves = np.concatenate([[True], correct[1:] > best_so_far[:-1]])
    kept = order[improves]
    return Outcomes(outcomes.thresholds[kept], outcomes.correct[kept], outcomes.macs[kept])


def _safest_first(outcomes: Outcomes) -> list[npt.NDArray[np.float64]]:
    return [-outcomes.thresholds[:, k] for k in reversed(range(outcomes.thresholds.shape[1]))]
