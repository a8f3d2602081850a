"""Compare two models on the same pictures: McNemar's test and bounds of the difference."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdtasks.errors import EvaluationError
from kdtasks.evaluation.comparison import bootstrap_interval

Method = Literal["mcnemar", "bootstrap"]


class PairedComparison(NamedTuple):
    """What N pictures, each answered by both models, say of candidate − production.

    Attributes:
        rows: N.
        gained: pictures that only the candidate gets right.
        lost: pictures that only production gets right.
        difference: of the accuracies, −1 … 1.
        lower, upper: one-sided bounds of the difference, each at the level asked for.
        p_value: of McNemar's exact two-sided test that neither model is better.
    """

    rows: int
    gained: int
    lost: int
    difference: float
    lower: float
    upper: float
    p_value: float


def compare_paired(
    candidate_correct: NDArray[np.bool_],
    production_correct: NDArray[np.bool_],
    *,
    method: Method,
    confidence: float,
    samples: int,
    seed: int,
) -> PairedComparison:
    """Compare two models that have answered the same pictures.

    Arguments:
        candidate_correct, production_correct: bool [N], whether each answer is right.
        method: where the bounds come from: Tango's score interval, which goes with McNemar's test,
            or a percentile bootstrap over the pictures; where the two never differ there is nothing
            to draw from, and the score interval counts.
        confidence: level of each one-sided bound, more than 0.5 and less than 1.
        samples, seed: of the bootstrap.

    Raises:
        EvaluationError: the shapes differ, there are no pictures, or the level is out of range.
    """
    first, second = np.asarray(candidate_correct), np.asarray(production_correct)
    if first.shape != second.shape or first.ndim != 1 or first.size == 0:
        raise EvaluationError(
            f"got answers of shape {first.shape} and {second.shape}; both must be [rows] of the "
            "same pictures, not empty"
        )
    _check_one_sided(confidence)
    gained = int(np.count_nonzero(first & ~second))
    lost = int(np.count_nonzero(second & ~first))
    rows = len(first)
    if method == "bootstrap" and gained + lost:
        # the ends of an interval of level 2c − 1 are one-sided bounds of level c
        lower, upper = bootstrap_interval(
            first[None], second[None], 2 * confidence - 1, samples, seed
        )
    else:
        lower = score_lower_bound(gained, lost, rows, confidence)
        upper = -score_lower_bound(lost, gained, rows, confidence)
    return PairedComparison(
        rows, gained, lost, (gained - lost) / rows, lower, upper, mcnemar_p_value(gained, lost)
    )


def mcnemar_p_value(gained: int, lost: int) -> float:
    """Give the exact two-sided p-value that neither of two models is better.

    Arguments:
        gained, lost: pictures that only the first, and only the second, gets right.

    Source: McNemar 1947, Psychometrika 12, 153-157; exact by the binomial distribution.
    """
    from scipy.stats import binomtest  # heavy, and only needed here

    if gained + lost == 0:
        return 1.0
    return float(binomtest(gained, gained + lost, 0.5).pvalue)


def score_lower_bound(gained: int, lost: int, rows: int, confidence: float) -> float:
    """Give the one-sided lower bound of the difference of two paired accuracies.

    The score test of a difference of 0 is McNemar's; the bound is the difference at which it would
    just not reject. Unlike McNemar's conditional test it counts the pictures that both models
    answer alike, so two models that never differ on N pictures get −z² / (N + z²) and not 0.

    Arguments:
        gained, lost: pictures that only the first, and only the second, gets right.
        rows: all pictures that both have answered.
        confidence: more than 0.5 and less than 1.

    Source: Tango 1998, Statistics in Medicine 17, 891-908, section 3.

    Raises:
        EvaluationError: the level is out of range.
    """
    from scipy.optimize import brentq  # heavy, and only needed here
    from scipy.special import ndtri

    _check_one_sided(confidence)
    if lost == rows:
        return -1.0
    z = float(ndtri(confidence))

    def excess(difference: float) -> float:
        b = -gained - lost + (2 * rows - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        share_lost = ((b * b - 8 * rows * c) ** 0.5 - b) / (4 * rows)  # most likely one
        variance = max(0.0, rows * (2 * share_lost + difference * (1 - difference)))
        return float(gained - lost - rows * difference - z * variance**0.5)

    # a little below the estimate itself, where the variance of models that never differ is 0
    return float(brentq(excess, -1.0, (gained - lost) / rows - 1e-12, xtol=1e-12))


def _check_one_sided(confidence: float) -> None:
    if not 0.5 < confidence < 1:
        raise EvaluationError(
            f"confidence is {confidence}; a one-sided bound needs more than 0.5 and less than 1, "
            "as in 0.95"
        )
