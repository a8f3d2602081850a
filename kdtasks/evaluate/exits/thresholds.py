"""Choose thresholds: least compute within an accuracy drop, or best accuracy within a budget."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import CalibrationError
from kdtasks.core.settings import count_of
from kdtasks.edge.scores import NEVER
from kdtasks.evaluate.exits.rows import ExitRows, losses_of
from kdtasks.evaluate.exits.search import (
    Outcomes,
    coordinate_descent,
    grid_outcomes,
    outcomes_of,
    pareto_front,
)
from kdtasks.evaluate.exits.settings import ExitsParams

MOST_EXITS_OF_A_GRID = 3

FOLDS, REPEATS = 5, 3
TRIED = 21

# Standard errors that a cross-fitted drop must stay below the limit: the largest drop that seems
# allowed is one of several, so its own estimate is a little too kind (docs/evidence.md).
MARGIN = 0.1


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


def choose_thresholds(
    rows: ExitRows, settings: ExitsParams, groups: npt.NDArray[np.integer] | None = None
) -> tuple[OperatingPoint, float | None]:
    """Choose one threshold for each early exit.

    Args:
        rows: the calibration split's.
        settings: in mode `drop` least compute that is expected to lose at most
            `max_accuracy_drop` against always going to the last exit, as of `cross_fit`; else best
            accuracy within `max_cost`.
        groups: as for `cross_fit`.

    Returns:
        their point, and in mode `drop` what they are expected to lose on new images; None of that
        where no early exit keeps the limit.

    Raises:
        CalibrationError: even leaving always at the first exit costs more than `max_cost`.
    """
    front = pareto_front(policy_outcomes(rows, grid=settings.grid))
    images, exits = rows.scores.shape
    if settings.mode == "drop":
        fitted = cross_fit(rows, settings, groups)
        if fitted is None:
            return point_at(rows, [NEVER] * (exits - 1)), None
        return point_at(rows, cheapest_within(rows, front, fitted.allowed)), fitted.expected
    budget = settings.max_cost * float(rows.macs[-1]) * images * (1 + 1e-12)
    affordable = front.macs <= budget
    if not affordable.any():
        raise CalibrationError(
            f"exits.max_cost is {settings.max_cost:g}, but the first of the {exits} exits "
            f"alone costs {rows.cost[0]:.3f} of the whole network; raise exits.max_cost or "
            "attach an earlier exit"
        )
    best = int(np.flatnonzero(affordable)[-1])
    return _point(rows, front, best), None


class CrossFit(NamedTuple):
    """What thresholds may lose where they are chosen, and are then expected to lose elsewhere.

    Attributes:
        allowed: drop of accuracy on the very rows that they are chosen on; below 0 a gain is asked
            for.
        expected: drop that was then seen on rows that they were not chosen on.
    """

    allowed: float
    expected: float


def cross_fit(
    rows: ExitRows, settings: ExitsParams, groups: npt.NDArray[np.integer] | None = None
) -> CrossFit | None:
    """Find the largest drop to choose by whose thresholds keep the limit on other images.

    Thresholds that are the cheapest within a limit on their own rows exceed it on new images in
    most cases: of many combinations the luckiest is taken. So they are chosen on four fifths of the
    rows and what they lose is counted on the last fifth, in turn and for three divisions, for drops
    between a gain as large as the limit and the limit itself.

    Args:
        rows: the calibration split's.
        settings: `max_accuracy_drop`, `grid`, and the `seed` that divides the rows.
        groups: integers [N], the group of each row, which no division cuts; None: every row is on
            its own.

    Returns: None where no early exit keeps the limit, or there are too few groups to divide.

    Source: Stone 1974, J. R. Stat. Soc. B 36, 111-147.
    """
    images, limit = len(rows.scores), settings.max_accuracy_drop
    members = np.arange(images) if groups is None else np.unique(groups, return_inverse=True)[1]
    units = int(members.max()) + 1
    if units < 2 * FOLDS:
        return None
    generator = np.random.default_rng(settings.seed)
    drops = np.linspace(-limit, limit, TRIED)
    losses = np.zeros((TRIED, images))
    for _ in range(REPEATS):
        for fold in np.array_split(generator.permutation(units), FOLDS):
            is_held_out = np.isin(members, fold)
            held_out = np.flatnonzero(is_held_out)
            chosen_on, judged = rows.take(np.flatnonzero(~is_held_out)), rows.take(held_out)
            front = pareto_front(policy_outcomes(chosen_on, grid=settings.grid))
            for index, drop in enumerate(drops):
                thresholds = cheapest_within(chosen_on, front, drop)
                losses[index, held_out] += losses_of(judged, thresholds) / REPEATS
    expected = losses.mean(axis=1)
    excess = np.zeros((TRIED, units))
    np.add.at(excess.T, members, (losses - expected[:, None]).T)
    margins = MARGIN * np.sqrt((excess**2).mean(axis=1)) / np.sqrt(units) * units / images
    kept = np.flatnonzero(expected + margins <= limit + 1e-9)
    if not kept.size:
        return None
    return CrossFit(float(drops[kept[-1]]), float(expected[kept[-1]]))


def cheapest_within(rows: ExitRows, front: Outcomes, drop: float) -> tuple[float, ...]:
    """Give the thresholds of the cheapest point of a front that loses at most `drop` on its rows.

    Where none does, which a `drop` below 0 may ask for, no image leaves early.
    """
    lost = count_of(drop, len(rows.scores))
    enough = np.flatnonzero(front.correct >= rows.correct[:, -1].sum() - lost)
    if not enough.size:
        return (NEVER,) * (rows.scores.shape[1] - 1)
    return tuple(front.thresholds[enough[0]].tolist())


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
