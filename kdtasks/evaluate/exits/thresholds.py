"""Choose thresholds: least compute within an accuracy drop, or best accuracy within a budget."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kdtasks.core.errors import CalibrationError
from kdtasks.evaluate.exits.rows import ExitRows
from kdtasks.evaluate.exits.search import (
    Outcomes,
    coordinate_descent,
    grid_outcomes,
    outcomes_of,
    pareto_front,
)
from kdtasks.evaluate.exits.settings import ExitsParams

MOST_EXITS_OF_A_GRID = 3


class OperatingPoint(NamedTuple):
    """A combination of thresholds and its means on the rows that it was chosen from.

    Attributes:
        cost: mean compute, as a fraction of the whole network's MACs.
        accuracy: fraction of right answers.
        thresholds: [K − 1].
    """

    cost: float
    accuracy: float
    thresholds: tuple[float, ...]


def policy_outcomes(rows: ExitRows, *, grid: int = 201) -> Outcomes:
    """Score the combinations worth choosing from: a grid for K ≤ 3, else coordinate descent.

    Args:
        rows: N images, K exits.
        grid: candidate thresholds for each early exit, at least 2.
    """
    exits = rows.scores.shape[1]
    return grid_outcomes(rows, grid) if exits <= MOST_EXITS_OF_A_GRID else coordinate_descent(rows)


def choose_thresholds(rows: ExitRows, settings: ExitsParams) -> OperatingPoint:
    """Choose one threshold for each early exit.

    Args:
        rows: the calibration split's.
        settings: in mode `drop` least compute that loses at most `max_accuracy_drop` against
            always going to the last exit, else best accuracy within `max_cost`.

    Raises:
        CalibrationError: even leaving always at the first exit costs more than `max_cost`.
    """
    front = pareto_front(policy_outcomes(rows, grid=settings.grid))
    images, exits = rows.scores.shape
    # 1e-9 forgives what a decimal fraction loses as a float: 0.29 of 100 images is 29.
    if settings.mode == "drop":
        lost = int(np.floor(settings.max_accuracy_drop * images + 1e-9))
        enough = front.correct >= rows.correct[:, -1].sum() - lost
        best = int(np.flatnonzero(enough)[0])
    else:
        budget = settings.max_cost * float(rows.macs[-1]) * images * (1 + 1e-12)
        affordable = front.macs <= budget
        if not affordable.any():
            raise CalibrationError(
                f"exits.max_cost is {settings.max_cost:g}, but the first of the {exits} exits "
                f"alone costs {rows.cost[0]:.3f} of the whole network; raise exits.max_cost or "
                "attach an earlier exit"
            )
        best = int(np.flatnonzero(affordable)[-1])
    return _point(rows, front, best)


def tradeoff(rows: ExitRows, *, grid: int = 201) -> list[OperatingPoint]:
    """Give the points that no other beats, cheapest first."""
    front = pareto_front(policy_outcomes(rows, grid=grid))
    return [_point(rows, front, index) for index in range(len(front.correct))]


def point_at(rows: ExitRows, thresholds: Sequence[float]) -> OperatingPoint:
    """Give the point of thresholds [K − 1] that were chosen elsewhere."""
    return _point(rows, outcomes_of(rows, np.asarray(thresholds, np.float64)[np.newaxis]), 0)


def _point(rows: ExitRows, outcomes: Outcomes, index: int) -> OperatingPoint:
    images = len(rows.scores)
    return OperatingPoint(
        cost=float(outcomes.macs[index] / (int(rows.macs[-1]) * images)),
        accuracy=float(outcomes.correct[index] / images),
        thresholds=tuple(outcomes.thresholds[index].tolist()),
    )
