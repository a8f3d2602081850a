"""Confidence intervals of one accuracy and of a mean over seeds."""

from collections.abc import Sequence

from kdtasks.errors import EvaluationError

Interval = tuple[float, float]

# Accuracies are ratios of counts: a spread below this is rounding of equal values, not a spread.
NO_SPREAD = 1e-12


def wilson_interval(correct: int, total: int, confidence: float) -> Interval:
    """Give Wilson's score interval of a share of `correct` in `total` independent rows.

    Arguments:
        correct: rows counted as right, 0 … total.
        total: rows, at least 1.
        confidence: level, 0 … 1 without the ends.

    Returns: low and high end, within 0 … 1.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22, 209-212.

    Raises:
        EvaluationError: there are no rows, or more correct ones than rows.
    """
    from scipy.special import ndtri  # heavy, and only needed here

    check_confidence(confidence)
    if total < 1 or not 0 <= correct <= total:
        raise EvaluationError(
            f"got {correct} correct of {total} rows; give at least one row and 0 … total correct"
        )
    z = float(ndtri(0.5 + confidence / 2))
    share = correct / total
    scale = 1 + z**2 / total
    centre = (share + z**2 / (2 * total)) / scale
    half = z * (share * (1 - share) / total + z**2 / (4 * total**2)) ** 0.5 / scale
    # The ends are exactly 0 and 1 there; rounding would leave 1e-17 beside them.
    low = 0.0 if correct == 0 else max(0.0, centre - half)
    high = 1.0 if correct == total else min(1.0, centre + half)
    return low, high


def seeds_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """Give Student's t interval of the mean of `values`, one value a seed.

    None where the values show no spread: one seed, or seeds that all gave the same value (two
    accuracies on a small test split often do by chance, and an interval of width 0 would lie).

    Raises:
        EvaluationError: there is no value, or `confidence` is not between 0 and 1.
    """
    import numpy as np

    check_confidence(confidence)
    if len(values) == 0:
        raise EvaluationError("got no values; an interval over seeds needs one value a seed")
    if len(values) == 1:
        return None
    array = np.asarray(values, dtype=np.float64)
    spread = float(array.std(ddof=1))
    if spread <= NO_SPREAD:
        return None
    mean = float(array.mean())
    half = t_quantile(confidence, len(values) - 1) * spread / len(values) ** 0.5
    return mean - half, mean + half


def difference_interval(
    first: float, first_interval: Interval, second: float, second_interval: Interval
) -> Interval:
    """Give the interval of `first − second` from the two shares and their Wilson intervals.

    The shares are taken as independent; for two models judged on the same rows, which mostly agree,
    it is too wide rather than too narrow.

    Source: Newcombe 1998, Statistics in Medicine 17, 873-890, method 10.
    """
    difference = first - second
    below = ((first - first_interval[0]) ** 2 + (second_interval[1] - second) ** 2) ** 0.5
    above = ((first_interval[1] - first) ** 2 + (second - second_interval[0]) ** 2) ** 0.5
    return difference - below, difference + above


def t_quantile(confidence: float, degrees: int) -> float:
    """Give the two-sided quantile of Student's t for `degrees` degrees of freedom."""
    from scipy.special import stdtrit  # heavy, and only needed here

    return float(stdtrit(degrees, 0.5 + confidence / 2))


def check_confidence(confidence: float) -> None:
    """Refuse a level that is not strictly between 0 and 1."""
    if not 0 < confidence < 1:
        raise EvaluationError(
            f"confidence is {confidence}; it must lie between 0 and 1, as in 0.95"
        )
