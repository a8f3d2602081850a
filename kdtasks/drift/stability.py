"""How far one distribution has moved from another."""

import numpy as np
import numpy.typing as npt

PSEUDO_COUNT = 0.5  # an empty range would have an infinite index


def population_stability_index(reference: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Give Σ (q − p) ln(q / p) over the shares p and q of two histograms.

    0 where they are alike; by custom up to 0.1 is little, and from 0.25 on much. Without drift
    chance alone gives (ranges − 1) (1/n + 1/m) on average, for n and m counts.

    Arguments:
        reference, observed: counts [ranges], of the same ranges; half a count is added to each.

    Source: Siddiqi 2006, Credit Risk Scorecards, chapter 9; chance: Yurdakul 2018, Statistical
    properties of population stability index, Western Michigan University.
    """
    p = np.asarray(reference, np.float64) + PSEUDO_COUNT
    q = np.asarray(observed, np.float64) + PSEUDO_COUNT
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))
