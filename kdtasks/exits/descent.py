"""Coordinate descent over thresholds, for networks with too many exits for a grid."""

import numpy as np

from kdtasks.edge.scores import ALWAYS, NEVER
from kdtasks.exits.outcomes import Outcomes, join_outcomes, pareto_front
from kdtasks.exits.policy import apply_policy
from kdtasks.exits.rows import ExitRows

TRADE_OFFS = np.logspace(-3, 2, 60)
"""Prices λ of the whole network's compute, in errors a picture."""
MOST_SWEEPS = 30
REFINEMENTS = 2
MOST_REFINED = 50
"""Points of the front, evenly spread, whose thresholds are moved in each refinement."""

Thresholds = tuple[float, ...]


def descent_outcomes(rows: ExitRows) -> Outcomes:
    """Collect good combinations of thresholds over a range of prices of compute.

    For each price λ the mean of error + λ·cost is minimised one exit at a time, from two starts
    (everybody goes on, everybody leaves at once); each start goes through the prices in order,
    since neighbouring prices have neighbouring solutions. A price finds only points on the convex
    hull: what lies between them comes from all the other cuts that were looked at on the way, and
    from moving one threshold of the best points found so far.

    Args:
        rows: N pictures, K ≥ 2 exits.
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
    """Work out every cut at exit k, the other thresholds held.

    Among the pictures that reach exit k, sorted by score from the surest down, what leaving
    changes against going on is a running sum; a cut may only lie between two distinct scores, and
    lies halfway between them.
    """
    exits = apply_policy(rows.scores, (*thresholds[:k], NEVER, *thresholds[k + 1 :]))
    pictures = np.arange(len(exits))
    right, macs = rows.correct[pictures, exits].astype(np.int64), rows.macs[exits]
    reaching = np.flatnonzero(exits > k)
    order = reaching[np.argsort(-rows.scores[reaching, k], kind="stable")]
    surest_first = rows.scores[order, k]
    # leaving[i] pictures leave at cut i: none, then each number that ends before a lower score.
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
    """Give the thresholds with the least mean of error + price·cost; of equals the dearest."""
    loss = price * outcomes.macs / rows.macs[-1] - outcomes.correct
    best = len(loss) - 1 - int(loss[::-1].argmin())
    return tuple(outcomes.thresholds[best].tolist())
