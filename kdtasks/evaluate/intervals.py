"""Confidence intervals of one accuracy and of a mean over seeds."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.errors import EvaluationError
from kdtasks.evaluate.clusters import Groups, independent_fraction, members_of

Interval = tuple[float, float]

# Accuracies are ratios of counts: a spread below this is rounding of equal values, not a spread.
NO_SPREAD = 1e-12
Method = Literal["mcnemar", "bootstrap"]


def bootstrap_interval(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    confidence: float,
    samples: int,
    seed: int,
    groups: Groups | None = None,
) -> Interval:
    """Give the percentile bootstrap interval, over groups, of the mean difference over seeds.

    A resample draws groups, each with all its rows and answers: pairs stay together over models and
    seeds. The seeds are taken as given, so the interval holds for these networks on other images.
    Where all answers are alike there is nothing to draw from, and the score interval counts.

    Args:
        first, second: bool [seeds, N], whether a row's answer is right.
        confidence: level of the interval, 0 … 1 without the ends.
        samples: number of resamples.
        seed: seed of the resampling.
        groups: integers [N], the group of each row; None: each is on its own.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    seeds, rows = first.shape
    gains = first.astype(np.int64).sum(axis=0) - second.astype(np.int64).sum(axis=0)
    members = members_of(groups, rows)
    sums = np.zeros((int(members.max()) + 1, 2), np.int64)
    if not gains.any():
        return score_interval(0, 0, len(sums), confidence)
    np.add.at(sums, members, np.stack([gains, np.ones(rows, np.int64)], axis=1))
    # A group's gain and size are one of few pairs of whole numbers; how often each is drawn in a
    # resample of all groups is multinomial: the same law as drawing the groups, thousands of times
    # cheaper.
    values, counts = np.unique(sums, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(sums), counts / len(sums), size=samples)
    means = drawn @ values[:, 0] / (drawn @ values[:, 1] * seeds)
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def wilson_interval(correct: float, total: float, confidence: float) -> Interval:
    """Give Wilson's score interval of a fraction of `correct` in `total` independent rows.

    Args:
        correct: rows counted as right, 0 … total.
        total: rows, above 0; rows in groups are worth fewer, and no whole number.
        confidence: level, 0 … 1 without the ends.

    Returns: low and high end, within 0 … 1.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22, 209-212.
    """
    from scipy.special import ndtri  # a hundred times as fast as scipy.stats

    z = float(ndtri(0.5 + confidence / 2))
    fraction, scale = correct / total, 2 * (total + z**2)
    middle = (2 * total * fraction + z**2) / scale
    half = z / scale * (4 * total * fraction * (1 - fraction) + z**2) ** 0.5
    return (0.0 if correct == 0 else middle - half, 1.0 if correct == total else middle + half)


def accuracy_interval(
    correct: NDArray[np.bool_], groups: Groups | None, confidence: float
) -> Interval:
    """Give Wilson's interval of an accuracy; rows of one group count for what they are worth.

    Args:
        correct: bool [N], whether a row's answer is right.
        groups: integers [N], the group of each row; None: each is on its own.
        confidence: level, 0 … 1 without the ends.
    """
    worth = independent_fraction(correct.astype(np.float64), groups, confidence)
    right = int(np.count_nonzero(correct))
    return wilson_interval(right * worth, len(correct) * worth, confidence)


def seeds_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """Give Student's t interval of the mean of `values`, one value a seed.

    None where the values show no spread: one seed, or seeds that all gave the same value (two
    accuracies on a small test split often do by chance, and an interval of width 0 would lie).
    """
    from scipy.special import stdtrit  # a hundred times as fast as scipy.stats

    if not has_spread(values):
        return None
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(stdtrit(len(values) - 1, 0.5 + confidence / 2)) * spread / len(values) ** 0.5
    return mean - half, mean + half


def has_spread(values: Sequence[float]) -> bool:
    """Whether values, one a seed, differ by more than rounding; a single one does not."""
    return len(values) > 1 and float(np.std(values, ddof=1)) > NO_SPREAD


class PairedComparison(NamedTuple):
    """What N independent images, each answered by both models, say of candidate − production.

    Attributes:
        rows: N; rows of one group are one.
        difference: of the task's metric, −1 … 1.
        lower, upper: one-sided bounds of the difference, each at the level asked for.
        gained: images that only the candidate gets right.
        lost: images that only production gets right.
        p_value: of McNemar's exact two-sided test that neither model is better, by groups in which
            one gets more right than the other; None where the metric is another than the accuracy,
            as `gained` and `lost` are of masks, which are not right or wrong.
    """

    rows: int
    difference: float
    lower: float
    upper: float
    gained: int | None = None
    lost: int | None = None
    p_value: float | None = None

    def sentence(self, production: str) -> str:
        """Say what the bounds rest on; `production` is what to call that model."""
        if self.gained is None:
            return "The bounds are those of a jackknife over whole images, each with both masks."
        text = f"{self.gained} images only the new model gets right, {self.lost} only {production}"
        if self.p_value is None:
            return f"{text}; the bounds are those of a paired bootstrap within the classes."
        return f"{text}; McNemar's exact test gives p = {self.p_value:.3g}."


def compare_paired(
    candidate_correct: NDArray[np.bool_],
    production_correct: NDArray[np.bool_],
    *,
    method: Method,
    confidence: float,
    samples: int,
    seed: int,
    groups: Groups | None = None,
) -> PairedComparison:
    """Compare two models that have answered the same images.

    Args:
        candidate_correct, production_correct: bool [N], whether each answer is right.
        method: where the bounds come from: Tango's score interval, which goes with McNemar's test;
            `bootstrap` widens it to a percentile bootstrap over the images, which alone is too
            narrow where few images tell the two apart (docs/evidence.md).
        confidence: level of each one-sided bound, more than 0.5 and less than 1.
        samples, seed: of the bootstrap.
        groups: integers [N], the group of each row; None: each is on its own.

    Raises:
        EvaluationError: the shapes differ, or there are no images.
    """
    first, second = np.asarray(candidate_correct), np.asarray(production_correct)
    if first.shape != second.shape or first.ndim != 1 or first.size == 0:
        raise EvaluationError(
            f"got answers of shape {first.shape} and {second.shape}; both must be [rows] of the "
            "same images, not empty"
        )
    gained = int(np.count_nonzero(first & ~second))
    lost = int(np.count_nonzero(second & ~first))
    level = 2 * confidence - 1  # whose two ends are one-sided bounds of level `confidence`
    lower, upper = gain_interval(first, second, groups, level)
    if method == "bootstrap":
        drawn = bootstrap_interval(first[None], second[None], level, samples, seed, groups)
        lower, upper = min(lower, drawn[0]), max(upper, drawn[1])
    by_group = np.bincount(
        members_of(groups, len(first)), weights=first.astype(np.int64) - second.astype(np.int64)
    )
    p_value = mcnemar_p_value(
        int(np.count_nonzero(by_group > 0)), int(np.count_nonzero(by_group < 0))
    )
    difference = (gained - lost) / len(first)
    return PairedComparison(len(by_group), difference, lower, upper, gained, lost, p_value)


def gain_interval(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    groups: Groups | None,
    confidence: float,
) -> Interval:
    """Give `score_interval` of paired answers; rows of one group count for what they are worth.

    Args:
        first, second: bool [N], whether each answer is right.
        groups: integers [N], the group of each row; None: each is on its own.
        confidence: level, 0 … 1 without the ends.
    """
    gains = first.astype(np.float64) - second.astype(np.float64)
    worth = independent_fraction(gains, groups, confidence)
    gained, lost = (int(np.count_nonzero(gains == sign)) for sign in (1, -1))
    return score_interval(gained * worth, lost * worth, len(gains) * worth, confidence)


def mcnemar_p_value(gained: int, lost: int) -> float:
    """Give the exact two-sided p-value that neither of two models is better.

    Args:
        gained, lost: images that only the first, and only the second, gets right.

    Source: McNemar 1947, Psychometrika 12, 153-157; exact by the binomial distribution.
    """
    from scipy.special import bdtr  # takes half as long to import as scipy.stats

    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


def score_interval(gained: float, lost: float, rows: float, confidence: float) -> Interval:
    """Give the two-sided interval of two `score_lower_bound`s; `confidence` is 0 … 1."""
    one_sided = 0.5 + confidence / 2
    return (
        score_lower_bound(gained, lost, rows, one_sided),
        -score_lower_bound(lost, gained, rows, one_sided),
    )


def score_lower_bound(gained: float, lost: float, rows: float, confidence: float) -> float:
    """Give the one-sided lower bound of the difference of two paired accuracies.

    The score test of a difference of 0 is McNemar's; the bound is the difference at which it would
    just not reject. Unlike McNemar's conditional test it counts the images that both models
    answer alike, so two models that never differ on N images get −z² / (N + z²) and not 0.

    Args:
        gained, lost: images that only the first, and only the second, gets right.
        rows: all images that both have answered; those in groups are worth fewer, and all three
            are then no whole numbers.
        confidence: more than 0.5 and less than 1.

    Source: Tango 1998, Statistics in Medicine 17, 891-908, section 3.
    """
    from scipy.optimize import brentq  # heavy, and only needed here
    from scipy.special import ndtri

    if lost == rows:
        return -1.0
    z = float(ndtri(confidence))

    def surplus(difference: float) -> float:
        b = -gained - lost + (2 * rows - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        share_lost = ((b * b - 8 * rows * c) ** 0.5 - b) / (4 * rows)  # most likely one
        variance = max(0.0, rows * (2 * share_lost + difference * (1 - difference)))
        return float(gained - lost - rows * difference - z * variance**0.5)

    # a little below the estimate itself, where the variance of models that never differ is 0
    return float(brentq(surplus, -1.0, (gained - lost) / rows - 1e-12, xtol=1e-12))
