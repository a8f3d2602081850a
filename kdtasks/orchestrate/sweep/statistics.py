"""What the points of a sweep show together: many comparisons, one error rate."""

from collections.abc import Mapping, Sequence

import numpy as np

from kdtasks.core.records import Part
from kdtasks.core.records.evaluate import Gain
from kdtasks.evaluate.comparison import gain_of, holm
from kdtasks.evaluate.intervals import NO_SPREAD, has_spread
from kdtasks.evaluate.looks import look_at, more_seeds_needed
from kdtasks.orchestrate.sweep.results import PointResult


class PointGain(Gain):
    """The gain of one point, given that all the others were looked at as well.

    Verdict and seeds needed are those after the correction; the interval is of the point by itself.

    Attributes:
        p_value: of the paired t test; None without a spread over seeds.
        adjusted_p_value: after Holm's correction.
    """

    p_value: float | None
    adjusted_p_value: float | None


def paired_p_value(differences: Sequence[float]) -> float | None:
    """Give the two-sided p-value, over all looks, that paired differences have mean 0.

    That of Student's t test at the last look, divided by what the look may spend. None where there
    is none: before the first look, or where all seeds gave the same.

    Source: Student 1908, Biometrika 6, 1-25; the looks, `kdtasks.evaluate.looks`.
    """
    from scipy.special import stdtr  # a thousand times as fast as scipy.stats

    look = look_at(len(differences))
    if look is None or not has_spread(judged := differences[: look.seeds]):
        return None
    statistic = np.mean(judged) / (np.std(judged, ddof=1) / look.seeds**0.5)
    return min(1.0, float(2 * stdtr(look.seeds - 1, -abs(statistic))) / look.spending)


def point_gains(
    results: Mapping[str, PointResult], *, compared: int, confidence: float
) -> dict[str, PointGain]:
    """The gain of every point over its student from scratch, with a verdict.

    Args:
        results: of the points that ended well, by label.
        compared: points of the whole grid. A point that failed, or without a spread over seeds,
            counts as one that shows nothing, so verdicts do not loosen because points are missing.
        confidence: chance that no verdict of the whole sweep is false.
    """
    level = 1 - confidence
    gains = {
        label: gain_of(
            result.distilled, result.student, bootstrap=result.bootstrap, confidence=confidence
        )
        for label, result in results.items()
    }
    seeds = {label: list(gain.by_seed.values()) for label, gain in gains.items()}
    p_values = {label: paired_p_value(values) for label, values in seeds.items()}
    filled = [1.0 if value is None else value for value in p_values.values()]
    missing = [1.0] * (compared - len(filled))
    adjusted = dict(zip(p_values, holm([*filled, *missing]), strict=False))
    significant = {label for label, value in adjusted.items() if value <= level}
    # Holm's threshold for the next finding: a point that reached it would be one
    next_level = level / max(1, compared - len(significant))

    def corrected(label: str, gain: Gain) -> PointGain:
        verdict, needed, p_value = "inconclusive", None, p_values[label]
        if label in significant:
            verdict = "helps" if gain.mean > 0 else "hurts"
        else:
            needed = more_seeds_needed(seeds[label], 1 - next_level)
        return PointGain(
            **{**dict(gain), "verdict": verdict, "seeds_needed": needed},
            p_value=p_value,
            adjusted_p_value=None if p_value is None else adjusted[label],
        )

    return {label: corrected(label, gain) for label, gain in gains.items()}


class Choice(Part):
    """The point that is best on the validation split."""

    label: str
    ties: tuple[str, ...]  # others with the very same mean; the first in the grid is taken


def best_point(results: Mapping[str, PointResult]) -> Choice | None:
    """Choose by the mean validation accuracy of the distilled students, never by the test split.

    None where no point has a result.
    """
    means = {
        label: float(np.mean(list(result.validation.values()))) for label, result in results.items()
    }
    if not means:
        return None
    best = max(means.values())
    first, *ties = [label for label, value in means.items() if best - value <= NO_SPREAD]
    return Choice(label=first, ties=tuple(ties))
