"""Compare distilled with scratch students, paired over seeds."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records.evaluate import Gain, SeedScores
from kdtasks.evaluate.intervals import Interval, check_confidence, seeds_interval
from kdtasks.evaluate.looks import look_at, more_seeds_needed

Verdict = Literal["helps", "hurts", "inconclusive"]


class PairedDifference(NamedTuple):
    """What seeds say about first − second.

    Attributes:
        by_seed: in the order of the seeds.
        judged: so many of the first seeds stand behind `mean`, `interval` and `verdict`; all of
            them before the first look (`kdtasks.evaluate.looks`).
        interval: None before the first look, and where the seeds show no spread.
        verdict: on `first`.
        seeds_needed: how many more may tell, as of `more_seeds_needed`.
    """

    by_seed: dict[int, float]
    judged: int
    mean: float
    interval: Interval | None
    verdict: Verdict
    seeds_needed: int | None


def paired_difference(
    first_by_seed: Mapping[int, float], second_by_seed: Mapping[int, float], confidence: float
) -> PairedDifference:
    """Test the mean of first − second over seeds by a paired t interval at the last look.

    Args:
        first_by_seed, second_by_seed: one accuracy a seed, for the same seeds.
        confidence: chance, over all looks together, that no verdict is false.

    Raises:
        EvaluationError: the two have other seeds, or none.
    """
    if set(first_by_seed) != set(second_by_seed) or not first_by_seed:
        raise EvaluationError(
            f"got seeds {sorted(first_by_seed)} and {sorted(second_by_seed)}; a paired comparison "
            "needs the same seeds on both sides, at least one"
        )
    by_seed = {seed: first_by_seed[seed] - second_by_seed[seed] for seed in sorted(first_by_seed)}
    check_confidence(confidence)
    values, look = list(by_seed.values()), look_at(len(by_seed))
    judged = values[: look.seeds] if look else values
    interval = seeds_interval(judged, look.confidence(confidence)) if look else None
    verdict = verdict_of(interval)
    needed = more_seeds_needed(values, confidence) if verdict == "inconclusive" else None
    mean = float(np.mean(judged))
    return PairedDifference(by_seed, len(judged), mean, interval, verdict, needed)


def verdict_of(interval: Interval | None) -> Verdict:
    """Say what an interval of a difference shows; an interval that holds 0 shows nothing."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "inconclusive"
    return "helps" if interval[0] > 0 else "hurts"


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
