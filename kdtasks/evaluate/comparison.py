"""Compare distilled with scratch students, paired over seeds."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records.evaluate import Gain, SeedScores
from kdtasks.evaluate.intervals import (
    NO_SPREAD,
    Interval,
    check_confidence,
    has_spread,
    seeds_interval,
)

Verdict = Literal["helps", "hurts", "inconclusive"]

# Beyond this many more seeds the observed difference is as good as none.
MOST_SEEDS = 1000


class PairedDifference(NamedTuple):
    """What seeds say about first − second."""

    by_seed: dict[int, float]
    mean: float
    interval: Interval | None
    verdict: Verdict
    seeds_needed: int | None


def paired_difference(
    first_by_seed: Mapping[int, float], second_by_seed: Mapping[int, float], confidence: float
) -> PairedDifference:
    """Test the mean of first − second over seeds by a paired t interval.

    Args:
        first_by_seed, second_by_seed: one accuracy a seed, for the same seeds.
        confidence: level of the interval, 0 … 1 without the ends.

    Returns: the differences in the order of the seeds, their mean, its interval (None without a
        spread, as in `seeds_interval`), the verdict on `first`, and `seeds_needed`.

    Raises:
        EvaluationError: the two have other seeds, or none.
    """
    if set(first_by_seed) != set(second_by_seed) or not first_by_seed:
        raise EvaluationError(
            f"got seeds {sorted(first_by_seed)} and {sorted(second_by_seed)}; a paired comparison "
            "needs the same seeds on both sides, at least one"
        )
    by_seed = {seed: first_by_seed[seed] - second_by_seed[seed] for seed in sorted(first_by_seed)}
    values = list(by_seed.values())
    interval = seeds_interval(values, confidence)
    verdict = verdict_of(interval)
    needed = more_seeds_needed(values, confidence) if verdict == "inconclusive" else None
    return PairedDifference(by_seed, float(np.mean(values)), interval, verdict, needed)


def verdict_of(interval: Interval | None) -> Verdict:
    """Say what an interval of a difference shows; an interval that holds 0 shows nothing."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "inconclusive"
    return "helps" if interval[0] > 0 else "hurts"


def more_seeds_needed(differences: list[float], confidence: float) -> int | None:
    """Estimate how many more seeds would put 0 outside the t interval of the mean difference.

    The observed mean and standard deviation are taken to stay as they are: the smallest n with
    t(n − 1) · s / √n < |mean|, less the seeds at hand. It is a rough guide: with just that many
    seeds the interval misses 0 about every other time.

    None where it means nothing: one seed, no spread, no difference, or more than 1,000 seeds.
    """
    from scipy.special import stdtrit  # heavy, and only needed here

    check_confidence(confidence)
    seeds, mean = len(differences), abs(float(np.mean(differences)))
    if not has_spread(differences) or mean <= NO_SPREAD:
        return None
    spread = np.std(differences, ddof=1)
    counts = np.arange(seeds + 1, seeds + MOST_SEEDS + 1)
    halves = stdtrit(counts - 1, 0.5 + confidence / 2) * spread / np.sqrt(counts)
    enough = counts[halves < mean]
    return int(enough[0]) - seeds if enough.size else None


def gain_of(
    distilled: Mapping[int, float],
    student: Mapping[int, float],
    *,
    bootstrap: Interval | None,
    confidence: float,
) -> Gain:
    """Say what distillation brings.

    Args:
        distilled, student: one score a seed, for the same seeds.
        bootstrap: interval over test images.
        confidence: level of the interval over seeds.
    """
    gain = paired_difference(distilled, student, confidence)._asdict()
    by_seed = {str(seed): value for seed, value in gain.pop("by_seed").items()}
    return Gain(**gain, by_seed=by_seed, bootstrap_interval=bootstrap)


def over_seeds(
    by_seed: Mapping[int, float], confidence: float, means: Mapping[str, Any]
) -> SeedScores:
    """Summarise scores 0 … 1 over seeds; `means` are those of other scores, by key."""
    values = list(by_seed.values())
    interval = seeds_interval(values, confidence)
    return SeedScores(
        by_seed={str(key): value for key, value in by_seed.items()},
        mean=float(np.mean(values)),
        # Student's t knows nothing of accuracies: with few seeds it reaches beyond 0 and 1.
        interval=(max(0.0, interval[0]), min(1.0, interval[1])) if interval else None,
        **means,
    )
