"""What the points of a sweep show together: many comparisons, one error rate."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kdtasks.core.records.evaluate import Gain
from kdtasks.evaluate.comparison import Verdict, gain_of, more_seeds_needed
from kdtasks.evaluate.intervals import NO_SPREAD, Interval, has_spread, seeds_interval
from kdtasks.orchestrate.sweep.results import PointResult


class Judgement(NamedTuple):
    """What the seeds say about one point, given that all the others were looked at as well."""

    gain: Gain  # distilled less scratch on the test split; taken by itself
    p_value: float | None  # of the paired t test; None without a spread over seeds
    adjusted: float | None  # after Holm's correction
    verdict: Verdict  # after the correction
    seeds_needed: int | None  # about so many more, where it inconclusive


def paired_p_value(differences: Sequence[float]) -> float | None:
    """Give the two-sided p-value of Student's t test that paired differences have mean 0.

    None where they show no spread: one seed, or seeds that all gave the same.

    Source: Student 1908, Biometrika 6, 1-25.
    """
    from scipy.special import stdtr  # a thousand times as fast as scipy.stats

    if not has_spread(differences):
        return None
    statistic = np.mean(differences) / (np.std(differences, ddof=1) / len(differences) ** 0.5)
    return float(2 * stdtr(len(differences) - 1, -abs(statistic)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false finding among all is that of one test.

    Holds whatever the tests have in common, such as the students from scratch.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    Returns: adjusted p-values in the order given, each to be compared with the level itself.
    """
    count = len(p_values)
    adjusted = [1.0] * count
    reached = 0.0
    order = sorted(range(count), key=lambda place: p_values[place])
    for rank, place in enumerate(order):
        reached = max(reached, min(1.0, (count - rank) * p_values[place]))
        adjusted[place] = reached
    return adjusted


def judge_points(
    results: Mapping[str, PointResult], *, compared: int, confidence: float
) -> dict[str, Judgement]:
    """Judge the gain of every point over its student from scratch.

    Args:
        results: of the points that ended well.
        compared: points of the whole grid. A point that failed, or without a spread over seeds,
            counts as one that shows nothing, so verdicts do not loosen because points are missing.
        confidence: chance that no verdict of the whole sweep is false.
    """
    level = 1 - confidence
    gains = {
        name: gain_of(
            result.distilled, result.student, bootstrap=result.bootstrap, confidence=confidence
        )
        for name, result in results.items()
    }
    p_values = {name: paired_p_value(list(gain.by_seed.values())) for name, gain in gains.items()}
    filled = [1.0 if value is None else value for value in p_values.values()]
    all_adjusted = holm([*filled, *[1.0] * (compared - len(filled))])
    adjusted = dict(zip(p_values, all_adjusted[: len(filled)], strict=True))
    found = sum(value <= level for value in adjusted.values())
    # Holm's threshold for the next finding: a point that reached it would be one
    next_level = level / max(1, compared - found)
    return {
        name: _judgement(gain, p_values[name], adjusted[name], level, next_level)
        for name, gain in gains.items()
    }


def _judgement(
    gain: Gain,
    p_value: float | None,
    adjusted: float,
    level: float,
    next_level: float,
) -> Judgement:
    if p_value is None:
        return Judgement(gain, None, None, "inconclusive", None)
    if adjusted <= level:
        verdict: Verdict = "helps" if gain.mean > 0 else "hurts"
        return Judgement(gain, p_value, adjusted, verdict, None)
    needed = more_seeds_needed(list(gain.by_seed.values()), 1 - next_level)
    return Judgement(gain, p_value, adjusted, "inconclusive", needed)


class Choice(NamedTuple):
    """The point that is best on the validation split."""

    name: str
    ties: tuple[str, ...]  # others with the very same mean; the first in the grid is taken


def choose(results: Mapping[str, PointResult]) -> Choice | None:
    """Choose by the mean validation accuracy of the distilled students, never by the test split.

    None where no point has a result.
    """
    means = {name: mean(result.validation) for name, result in results.items()}
    if not means:
        return None
    best = max(means.values())
    first, *ties = [name for name, value in means.items() if best - value <= NO_SPREAD]
    return Choice(first, tuple(ties))


def mean(by_seed: Mapping[int, float]) -> float:
    """The mean over seeds."""
    return float(np.mean(list(by_seed.values())))


def accuracy_interval(by_seed: Mapping[int, float], confidence: float) -> Interval | None:
    """Student's t interval of a mean accuracy, cut at 0 and 1."""
    interval = seeds_interval(list(by_seed.values()), confidence)
    return (max(0.0, interval[0]), min(1.0, interval[1])) if interval else None
