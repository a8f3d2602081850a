"""Compare distilled with scratch students, paired over seeds."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records.evaluate import Gain, SeedScores
from kdtasks.evaluate.intervals import NO_SPREAD, Interval, has_spread, seeds_interval

Verdict = Literal["helps", "hurts", "inconclusive"]

# Beyond this many more seeds the observed difference is as good as none.
MOST_SEEDS = 1000


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
    """Test the mean of distilled − student over seeds by a paired t interval.

    Args:
        distilled, student: one score a seed, for the same seeds.
        bootstrap: interval over test images.
        confidence: level of the interval over seeds.

    Raises:
        EvaluationError: the two have other seeds, or none.
    """
    if set(distilled) != set(student) or not distilled:
        raise EvaluationError(
            f"got seeds {sorted(distilled)} and {sorted(student)}; a paired comparison "
            "needs the same seeds on both sides, at least one"
        )
    by_seed = {str(seed): distilled[seed] - student[seed] for seed in sorted(distilled)}
    values = list(by_seed.values())
    interval = seeds_interval(values, confidence)
    verdict = verdict_of(interval)
    needed = more_seeds_needed(values, confidence) if verdict == "inconclusive" else None
    return Gain(
        mean=float(np.mean(values)),
        interval=interval,
        bootstrap_interval=bootstrap,
        by_seed=by_seed,
        verdict=verdict,
        seeds_needed=needed,
    )


def over_seeds(
    by_seed: Mapping[int, float], confidence: float, means: Mapping[str, Any] | None = None
) -> SeedScores:
    """Summarise scores 0 … 1 over seeds; `means` are those of other scores, by key."""
    values = list(by_seed.values())
    interval = seeds_interval(values, confidence)
    return SeedScores(
        by_seed={str(key): value for key, value in by_seed.items()},
        mean=float(np.mean(values)),
        # Student's t knows nothing of accuracies: with few seeds it reaches beyond 0 and 1.
        interval=(max(0.0, interval[0]), min(1.0, interval[1])) if interval else None,
        **(means or {}),
    )
