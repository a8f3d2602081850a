"""Tests of whether compression changes more on a slice than on the plain test split."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdtasks.evaluate.intervals import has_spread


def sign_flip_p_value(sums: NDArray[np.int64]) -> float:
    """Give the exact two-sided p-value that whole numbers are symmetric about 0.

    Where compression does to an image in a slice what it does to the plain one, the two may be
    exchanged, and with them the sign of the image's excess: the sum of all is held against its
    distribution over all signs. Of numbers −1, 0 and 1 this is McNemar's exact test.

    Args:
        sums: [groups].

    Source: Fisher 1935, The Design of Experiments, section 21.
    """
    from scipy.special import gammaln  # takes half as long to import as scipy.stats

    chances = np.ones(1)  # of the sum of those sizes whose sign is +
    for size, count in zip(*np.unique(np.abs(sums[sums != 0]), return_counts=True), strict=True):
        k = np.arange(count + 1)
        logs = gammaln(count + 1) - gammaln(k + 1) - gammaln(count - k + 1) - count * np.log(2)
        spaced = np.zeros(size * count + 1)
        spaced[::size] = np.exp(logs)
        chances = np.convolve(chances, spaced)
    rarer = int(min(sums[sums > 0].sum(), -sums[sums < 0].sum()))
    return min(1.0, 2 * float(chances[: rarer + 1].sum()))


def part_p_value(signs: NDArray[np.int64], inside: NDArray[np.bool_]) -> float:
    """Give the two-sided p-value that the mean of losses and gains is one inside and outside.

    The difference of both means over its standard error, which both sides give with their own
    variances, is held against its distribution over all ways to choose as many: exact where losses
    and gains are as frequent on both sides, and near its level where only their difference is, as
    of harder images, which change in both directions. Without gains, or without losses, this is
    Fisher's exact test.

    Args:
        signs: [groups], 1 of a gain, −1 of a loss, 0 of no change.
        inside: bool [groups], which are of the slice; neither all nor none, or it is 1.

    Source: Janssen 1997, Statistics & Probability Letters 36, 9-21.
    """
    total, size = len(signs), int(inside.sum())
    if size in (0, total):
        return 1.0
    losses, gains = int((signs < 0).sum()), int((signs > 0).sum())

    def statistic(lost: int, won: Any) -> NDArray[np.float64]:
        means = (won - lost) / size, (gains - won - losses + lost) / (total - size)
        squares = (won + lost) / size, (gains - won + losses - lost) / (total - size)
        variance = (squares[0] - means[0] ** 2) / size
        variance = variance + (squares[1] - means[1] ** 2) / (total - size)
        found: NDArray[np.float64] = (means[0] - means[1]) / np.sqrt(np.maximum(variance, 1e-300))
        return np.round(found, 9)  # equal ones differ in the last bits

    observed = statistic(int((signs[inside] < 0).sum()), int((signs[inside] > 0).sum()))
    lower = upper = 0.0
    for lost in range(max(0, size + losses - total), min(losses, size) + 1):
        won = np.arange(min(gains, size - lost) + 1)
        chances = _drawn(lost, losses, size, total)
        chances = chances * _drawn(won, gains, size - lost, total - losses)
        lower += float(chances[statistic(lost, won) <= observed].sum())
        upper += float(chances[statistic(lost, won) >= observed].sum())
    return min(1.0, 2 * min(lower, upper))


def _drawn(k: Any, marked: int, size: int, total: int) -> NDArray[np.float64]:
    """Give the hypergeometric chance of k marked ones among `size` of `total`."""
    from scipy.special import gammaln  # takes half as long to import as scipy.stats

    def log_choose(n: Any, r: Any) -> Any:
        with np.errstate(invalid="ignore"):
            found = gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1)
        return np.where((r >= 0) & (r <= n), found, -np.inf)

    k = np.asarray(k)
    chances: NDArray[np.float64] = np.exp(
        log_choose(marked, k) + log_choose(total - marked, size - k) - log_choose(total, size)
    )
    return chances


def t_p_value(values: Sequence[float], others: Sequence[float] = (0.0, 0.0)) -> float:
    """Give the two-sided p-value of Welch's t test that two means are one; 1 of all alike.

    Against zeros it is Student's test that the mean is 0.

    Source: Welch 1947, Biometrika 34, 28-35.
    """
    from scipy.special import stdtr  # a thousand times as fast as scipy.stats

    if not has_spread(values) and not has_spread(others):
        return 1.0
    parts = [(len(each), np.var(each, ddof=1) / len(each)) for each in (values, others)]
    error = sum(part for _, part in parts)
    freedom = error**2 / sum(part**2 / (count - 1) for count, part in parts)
    statistic = (np.mean(values) - np.mean(others)) / error**0.5
    return float(2 * stdtr(freedom, -abs(statistic)))
