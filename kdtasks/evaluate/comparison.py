"""Compare distilled with scratch students, paired over seeds, and many comparisons at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records.evaluate import Gain, SeedScores
from kdtasks.evaluate.intervals import Interval, seeds_interval
from kdtasks.evaluate.looks import look_at, more_seeds_needed

Verdict = Literal["helps", "hurts", "inconclusive"]


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
    """Test the mean of distilled − student over seeds by a paired t interval at the last look.

    Args:
        distilled, student: one score a seed, for the same seeds.
        bootstrap: interval over test images.
        confidence: chance, over all looks together (`kdtasks.evaluate.looks`), that no verdict is
            false.

    Raises:
        EvaluationError: the two have other seeds, or none.
    """
    if set(distilled) != set(student) or not distilled:
        raise EvaluationError(
            f"got seeds {sorted(distilled)} and {sorted(student)}; a paired comparison "
            "needs the same seeds on both sides, at least one"
        )
    by_seed = {str(seed): distilled[seed] - student[seed] for seed in sorted(distilled)}
    values, look = list(by_seed.values()), look_at(len(by_seed))
    judged = values[: look.seeds] if look else values
    interval = seeds_interval(judged, look.confidence(confidence)) if look else None
    verdict = verdict_of(interval)
    needed = more_seeds_needed(values, confidence) if verdict == "inconclusive" else None
    return Gain(
        judged=len(judged),
        mean=float(np.mean(judged)),
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


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false finding among all is that of one test.

    Holds whatever the tests have in common, such as students or images.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    Returns: adjusted p-values in the order given, each to be compared with the level itself.
    """
    values = np.asarray(p_values)
    order = np.argsort(values, kind="stable")
    scaled = np.arange(len(values), 0, -1) * values[order]
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, scaled))
    return adjusted.tolist()
