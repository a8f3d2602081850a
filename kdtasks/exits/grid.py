"""Candidate thresholds, and the outcome of every combination of them at once."""

import numpy as np
import numpy.typing as npt

from kdtasks.edge.scores import ALWAYS, NEVER
from kdtasks.exits.outcomes import Outcomes
from kdtasks.exits.rows import ExitRows


def candidate_thresholds(scores: npt.NDArray[np.float64], number: int) -> npt.NDArray[np.float64]:
    """Give at most `number` ascending thresholds of one exit: always, quantiles, never.

    A threshold lies halfway between two neighbouring scores, so that a last bit that differs on
    the device moves no picture. With fewer distinct scores than `number` nothing is left out.

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
        wanted = np.linspace(0, len(scores), number)[1:-1]
        middles = middles[np.unique(np.searchsorted(below, wanted).clip(max=len(below) - 1))]
    return np.concatenate([[ALWAYS], middles, [NEVER]])


def grid_outcomes(rows: ExitRows, number: int) -> Outcomes:
    """Work out every combination of candidate thresholds, exactly, from one histogram an exit.

    With b_k the number of candidates that picture n's score at exit k reaches, it goes on past
    exit k under candidate i_k just when b_k ≤ i_k. So the pictures that go on past exits 0…k are
    a cumulative sum of the histogram of (b_0, …, b_k), and each exit adds to the total what
    going on to it changes. K exits and g candidates cost O(N·K + g^(K−1)).

    Args:
        rows: N pictures, K exits; meant for K ≤ 3.
        number: candidates for each early exit.
    """
    pictures, exits = rows.scores.shape
    candidates = [candidate_thresholds(rows.scores[:, k], number) for k in range(exits - 1)]
    shape = tuple(len(thresholds) for thresholds in candidates)
    reached = [
        np.searchsorted(thresholds, rows.scores[:, k], side="right")
        for k, thresholds in enumerate(candidates)
    ]
    correct = np.full(shape, rows.correct[:, 0].sum(), np.int64)
    macs = np.full(shape, rows.macs[0] * pictures, np.int64)
    right = rows.correct.astype(np.int64)
    for k in range(1, exits):
        inner = shape[:k]
        bins = np.ravel_multi_index(reached[:k], inner)
        beyond = inner + (1,) * (exits - 1 - k)
        gained = _cumulative(bins, inner, right[:, k] - right[:, k - 1])
        going_on = _cumulative(bins, inner, np.ones(pictures, np.int64))
        correct += gained.reshape(beyond)
        macs += (rows.macs[k] - rows.macs[k - 1]) * going_on.reshape(beyond)
    indices = np.indices(shape).reshape(exits - 1, correct.size)
    thresholds = (
        np.stack([candidates[k][indices[k]] for k in range(exits - 1)], axis=1)
        if exits > 1
        else np.empty((1, 0))
    )
    return Outcomes(thresholds, correct.ravel(), macs.ravel())


def _cumulative(
    bins: npt.NDArray[np.int64], shape: tuple[int, ...], weights: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Sum `weights` over all pictures whose bins are at most the index, along every axis."""
    # bincount sums in float64, exact for whole numbers below 2^53.
    flat = np.bincount(bins, weights=weights, minlength=int(np.prod(shape)))
    sums = np.rint(flat).astype(np.int64).reshape(shape)
    for axis in range(len(shape)):
        sums = np.cumsum(sums, axis=axis)
    return sums
