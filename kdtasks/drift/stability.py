"""How far one distribution has moved from another."""

import numpy as np
import numpy.typing as npt

PSEUDO_COUNT = 0.5  # an empty range would have an infinite index
CHANCE = 0.001


def population_stability_index(reference: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Give Σ (q − p) ln(q / p) over the shares p and q of two histograms.

    0 where they are alike; by custom up to 0.1 is little, and from 0.25 on much.

    Arguments:
        reference, observed: counts [ranges], of the same ranges; half a count is added to each.

    Source: Siddiqi 2006, Credit Risk Scorecards, chapter 9.
    """
    p = np.asarray(reference, np.float64) + PSEUDO_COUNT
    q = np.asarray(observed, np.float64) + PSEUDO_COUNT
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def index_by_chance(ranges: int, first: int, second: int) -> float:
    """Give the index that chance alone exceeds in one case of a thousand, without any drift.

    Without drift the index is (1/n + 1/m) times a chi-squared of ranges − 1 degrees of freedom.

    Arguments:
        ranges: of the histograms, at least 1.
        first, second: n and m, the counts in each; 0 gives infinity.

    Source: Yurdakul 2018, Statistical properties of population stability index, Western Michigan
    University.
    """
    from scipy.special import chdtri  # heavy, and only needed here

    if not (first and second):
        return float("inf")
    if ranges == 1:
        return 0.0
    return float(chdtri(ranges - 1, CHANCE)) * (1 / first + 1 / second)
