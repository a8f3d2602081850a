"""Score combinations of thresholds: a grid, or coordinate descent where exits are many."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.edge.scores import ALWAYS, NEVER, apply_policy
from kdtasks.evaluate.exits.rows import ExitRows

# Prices λ of the whole network's compute, in errors an image.
TRADE_OFFS = np.logspace(-3, 2, 60)
MOST_SWEEPS = 30
REFINEMENTS = 2
# Points of the front, evenly spread, whose thresholds are moved in each refinement.
MOST_REFINED = 50
Thresholds = tuple[float, ...]


class Outcomes(NamedTuple):
    """P combinations of thresholds and what each comes to on the same images.

    Whole numbers are compared exactly: no rounding decides between two combinations.

    Attributes:
        thresholds: float64 [P, K − 1].
        correct: int64 [P], right answers.
        macs: int64 [P], multiply-accumulates of all images together.
    """

    thresholds: npt.NDArray[np.float64]
    correct: npt.NDArray[np.int64]
    macs: npt.NDArray[np.int64]


def coordinate_descent(rows: ExitRows) -> Outcomes:
    """Collect good combinations of thresholds over a range of prices of compute.

    For each price λ the mean of error + λ·cost is minimised one exit at a time, from two starts
    (everybody goes on, everybody leaves at once); each start goes through the prices in order,
    since neighbouring prices have neighbouring solutions. A price finds only points on the convex
    hull: what lies between them comes from all the other cuts that were looked at on the way, and
    from moving one threshold of the best points found so far.

    Args:
        rows: N images, K ≥ 2 exits.
    """
    early = rows.scores.shape[1] - 1
    lines: dict[tuple[Thresholds, int], Outcomes] = {}

    def line(thresholds: Thresholds, k: int) -> Outcomes:
        key = ((*thresholds[:k], NEVER, *thresholds[k + 1 :]), k)
        if key not in lines:
            lines[key] = pareto_front(line_outcomes(rows, *key))
        return lines[key]

    for start, prices in ((NEVER, TRADE_OFFS), (ALWAYS, TRADE_OFFS[::-1])):
        thresholds = (start,) * early
        for price in prices:
            for _ in range(MOST_SWEEPS):
                before = thresholds
                for k in reversed(range(early)):
                    thresholds = cheapest(line(thresholds, k), rows, price=float(price))
                if thresholds == before:
                    break
    for _ in range(REFINEMENTS):
        front = pareto_front(join_outcomes(list(lines.values()))).thresholds
        spread = np.unique(np.linspace(0, len(front) - 1, MOST_REFINED).round().astype(int))
        for thresholds in map(tuple, front[spread].tolist()):
            for k in range(early):
                line(thresholds, k)
    return join_outcomes(list(lines.values()))


def line_outcomes(rows: ExitRows, thresholds: Thresholds, k: int) -> Outcomes:
    """Score every cut at exit k, the other thresholds held.

    Among the images that reach exit k, sorted from the most confident down, what leaving
    changes against going on is a running sum; a cut may only lie between two distinct scores, and
    lies halfway between them.
    """
    exits = apply_policy(rows.scores, (*thresholds[:k], NEVER, *thresholds[k + 1 :]))
    images = np.arange(len(exits))
    right, macs = rows.correct[images, exits].astype(np.int64), rows.macs[exits]
    reaching = np.flatnonzero(exits > k)
    order = reaching[np.argsort(-rows.scores[reaching, k], kind="stable")]
    surest_first = rows.scores[order, k]
    # leaving[i] images leave at cut i: none, then each number that ends before a lower score.
    falls = np.flatnonzero(surest_first[1:] < surest_first[:-1]) + 1
    leaving = np.concatenate([[0], falls, [len(order)]]) if len(order) else np.zeros(1, np.int64)
    above, below = surest_first[falls - 1], surest_first[falls]
    middles = below + (above - below) / 2
    # Halfway between neighbouring floats rounds to one of them; only the upper one parts them.
    middles = np.where(middles > below, middles, above)
    cuts = np.concatenate([[NEVER], middles, [ALWAYS]])[: len(leaving)]
    changed = rows.correct[order, k] - right[order]
    combinations = np.tile(np.asarray(thresholds, np.float64), (len(cuts), 1))
    combinations[:, k] = cuts
    return Outcomes(
        combinations,
        right.sum() + np.concatenate([[0], np.cumsum(changed)])[leaving],
        macs.sum() + np.concatenate([[0], np.cumsum(rows.macs[k] - macs[order])])[leaving],
    )


def cheapest(outcomes: Outcomes, rows: ExitRows, *, price: float) -> Thresholds:
    """Give the thresholds of least mean error + price·cost; of equals the most expensive."""
    loss = price * outcomes.macs / rows.macs[-1] - outcomes.correct
    best = len(loss) - 1 - int(loss[::-1].argmin())
    return tuple(outcomes.thresholds[best].tolist())


def candidate_thresholds(scores: npt.NDArray[np.float64], number: int) -> npt.NDArray[np.float64]:
    """Give at most `number` ascending thresholds of one exit: always, quantiles, never.

    A threshold lies halfway between two neighbouring scores, so that a last bit that differs on
    the device moves no image. With fewer distinct scores than `number` all are tried.

    Args:
        scores: [N] of that exit.
        number: at least 2.
    """
    values, counts = np.unique(scores, return_counts=True)
    middles = values[:-1] + np.diff(values) / 2
    # Halfway between neighbouring floats rounds to one of them; only the upper one parts them.
    middles = np.where(middles > values[:-1], middles, values[1:])
    if len(middles) > number - 2:
        below = np.cumsum(counts)[:-1]
        quantiles = np.linspace(0, len(scores), number)[1:-1]
        middles = middles[np.unique(np.searchsorted(below, quantiles).clip(max=len(below) - 1))]
    return np.concatenate([[ALWAYS], middles, [NEVER]])


def grid_outcomes(rows: ExitRows, number: int) -> Outcomes:
    """Score every combination of candidate thresholds, exactly, from one histogram an exit.

    With b_k the number of candidates that image n's score at exit k reaches, it goes on past
    exit k under candidate i_k just when b_k ≤ i_k. So the images that go on past exits 0…k are
    a cumulative sum of the histogram of (b_0, …, b_k), and each exit adds to the total what
    going on to it changes. K exits and g candidates cost O(N·K + g^(K−1)).

    Args:
        rows: N images, K exits; meant for K ≤ 3.
        number: candidates for each early exit.
    """
    images, exits = rows.scores.shape
    candidates = [candidate_thresholds(rows.scores[:, k], number) for k in range(exits - 1)]
    shape = tuple(len(thresholds) for thresholds in candidates)
    reached = [
        np.searchsorted(thresholds, rows.scores[:, k], side="right")
        for k, thresholds in enumerate(candidates)
    ]
    correct = np.full(shape, rows.correct[:, 0].sum(), np.int64)
    macs = np.full(shape, rows.macs[0] * images, np.int64)
    right = rows.correct.astype(np.int64)
    for k in range(1, exits):
        inner = shape[:k]
        bins = np.ravel_multi_index(reached[:k], inner)
        beyond = inner + (1,) * (exits - 1 - k)
        gained = _cumulative(bins, inner, right[:, k] - right[:, k - 1])
        going_on = _cumulative(bins, inner, np.ones(images, np.int64))
        correct += gained.reshape(beyond)
        macs += (rows.macs[k] - rows.macs[k - 1]) * going_on.reshape(beyond)
    indices = np.indices(shape).reshape(exits - 1, correct.size)
    columns = [tried[index] for tried, index in zip(candidates, indices, strict=True)]
    thresholds = np.array(columns, np.float64).reshape(exits - 1, correct.size).T
    return Outcomes(thresholds, correct.ravel(), macs.ravel())


def _cumulative(
    bins: npt.NDArray[np.int64], shape: tuple[int, ...], weights: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Sum `weights` over all images whose bins are at most the index, along every axis."""
    # bincount sums in float64, exact for whole numbers below 2^53.
    flat = np.bincount(bins, weights=weights, minlength=int(np.prod(shape)))
    sums = np.rint(flat).astype(np.int64).reshape(shape)
    for axis in range(len(shape)):
        sums = np.cumsum(sums, axis=axis)
    return sums


def outcomes_of(rows: ExitRows, thresholds: npt.ArrayLike) -> Outcomes:
    """Apply each combination of thresholds, [P, K − 1], to the rows one by one."""
    combinations = np.asarray(thresholds, np.float64)
    left_at = [apply_policy(rows.scores, combination) for combination in combinations]
    images = np.arange(len(rows.scores))
    return Outcomes(
        combinations,
        np.array([rows.correct[images, exits].sum() for exits in left_at], np.int64),
        np.array([rows.macs[exits].sum() for exits in left_at], np.int64),
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
