"""Compare distilled with scratch students, paired over seeds and over test pictures."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdtasks.errors import EvaluationError
from kdtasks.evaluation.classification import accuracy
from kdtasks.evaluation.intervals import (
    NO_SPREAD,
    Interval,
    check_confidence,
    seeds_interval,
    wilson_interval,
)

if TYPE_CHECKING:
    from kdtasks.datasets.prepared import PreparedDataset
    from kdtasks.params.shipping import EvaluateParams

# Opens a model when it is its turn; from uint8 pictures to logits.
Opens = Callable[[], Callable[[Any], NDArray[Any]]]
Verdict = Literal["helps", "hurts", "cannot tell"]

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
    """Judge the mean of first − second over seeds by a paired t interval.

    Arguments:
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
    verdict = judge(interval)
    needed = more_seeds_needed(values, confidence) if verdict == "cannot tell" else None
    return PairedDifference(by_seed, float(np.mean(values)), interval, verdict, needed)


def judge(interval: Interval | None) -> Verdict:
    """Say what an interval of a difference shows; an interval that holds 0 shows nothing."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "cannot tell"
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
    seeds = len(differences)
    if seeds < 2:
        return None
    mean, spread = abs(float(np.mean(differences))), float(np.std(differences, ddof=1))
    if spread <= NO_SPREAD or mean <= NO_SPREAD:
        return None
    counts = np.arange(seeds + 1, seeds + MOST_SEEDS + 1)
    halves = stdtrit(counts - 1, 0.5 + confidence / 2) * spread / np.sqrt(counts)
    enough = counts[halves < mean]
    return int(enough[0]) - seeds if enough.size else None


def bootstrap_interval(
    correct_first: NDArray[np.bool_],
    correct_second: NDArray[np.bool_],
    confidence: float,
    samples: int,
    seed: int,
) -> Interval:
    """Give the percentile bootstrap interval, over test rows, of the mean difference over seeds.

    A resample draws rows, each with all its answers: pairs stay together over models and seeds.
    The seeds are taken as given, so the interval holds for these networks on other pictures.

    Arguments:
        correct_first, correct_second: bool [seeds, N], whether a row's answer is right.
        confidence: level of the interval, 0 … 1 without the ends.
        samples: number of resamples.
        seed: seed of the resampling.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.

    Raises:
        EvaluationError: the shapes differ, or there are no rows.
    """
    check_confidence(confidence)
    first, second = np.asarray(correct_first), np.asarray(correct_second)
    if first.shape != second.shape or first.ndim != 2 or first.size == 0:
        raise EvaluationError(
            f"got answers of shape {first.shape} and {second.shape}; "
            "both must be [seeds, rows] of the same seeds and rows, not empty"
        )
    seeds, rows = first.shape
    gains = first.astype(np.int64).sum(axis=0) - second.astype(np.int64).sum(axis=0)
    # A row's gain is one of at most 2·seeds + 1 whole numbers; how often each is drawn in a
    # resample of all rows is multinomial: the same law as drawing the rows, thousands of times
    # cheaper.
    values, counts = np.unique(gains, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(rows, counts / rows, size=samples)
    means = drawn @ values / (rows * seeds)
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def compare_classifiers(
    dataset: "PreparedDataset",
    teacher: Opens,
    students: Mapping[int, Opens],
    distilled: Mapping[int, Opens],
    settings: "EvaluateParams",
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Ask all models about the test split and compare.

    Arguments:
        teacher, students, distilled: how to open each model; the students by seed.
        settings: level of the intervals and the bootstrap over test pictures.

    Returns:
        the content of `metrics/compare.json`, and no arrays.
    """
    images = dataset.images("test")

    def answers(models: Mapping[int, Opens]) -> dict[int, NDArray[np.integer]]:
        return {seed: opens()(images).argmax(axis=-1) for seed, opens in models.items()}

    content = compare(
        dataset.labels("test"),
        teacher()(images).argmax(axis=-1),
        answers(students),
        answers(distilled),
        confidence=settings.confidence,
        bootstrap_samples=settings.bootstrap_samples,
        seed=settings.seed,
    )
    return content, {}


def compare(
    labels: NDArray[np.integer],
    teacher_predicted: NDArray[np.integer],
    student_predicted: Mapping[int, NDArray[np.integer]],
    distilled_predicted: Mapping[int, NDArray[np.integer]],
    *,
    confidence: float,
    bootstrap_samples: int,
    seed: int,
) -> dict[str, Any]:
    """Build the content of `metrics/compare.json` (docs/files.md).

    Arguments:
        labels: integer [N], the classes of the test split.
        teacher_predicted: integer [N].
        student_predicted, distilled_predicted: seed to integer [N], the last exit's answers.
        confidence, bootstrap_samples, seed: as in `bootstrap_interval`.

    Raises:
        EvaluationError: shapes or seeds do not match.
    """
    student = {key: accuracy(labels, student_predicted[key]) for key in sorted(student_predicted)}
    distilled = {
        key: accuracy(labels, distilled_predicted[key]) for key in sorted(distilled_predicted)
    }
    bootstrap = bootstrap_interval(
        np.stack([distilled_predicted[key] == labels for key in distilled]),
        np.stack([student_predicted[key] == labels for key in student]),
        confidence,
        bootstrap_samples,
        seed,
    )
    teacher_accuracy = accuracy(labels, teacher_predicted)
    right = int(np.count_nonzero(teacher_predicted == labels))
    student_summary = over_seeds(student, confidence)
    return {
        "rows": len(labels),
        "teacher": {
            "accuracy": teacher_accuracy,
            "interval": list(wilson_interval(right, len(labels), confidence)),
        },
        "student": student_summary,
        "distill": over_seeds(distilled, confidence),
        "gain": gain_of(distilled, student, bootstrap=bootstrap, confidence=confidence),
        "teacher_worse_than_student": teacher_accuracy < student_summary["mean"],
    }


def gain_of(
    distilled: Mapping[int, float],
    student: Mapping[int, float],
    *,
    bootstrap: Interval | None,
    confidence: float,
) -> dict[str, Any]:
    """Say what distillation brings: the key `gain` of `metrics/compare.json`.

    Arguments:
        distilled, student: one figure a seed, for the same seeds.
        bootstrap: interval over test pictures.
    """
    gain = paired_difference(distilled, student, confidence)
    return {
        "mean": gain.mean,
        "interval": list(gain.interval) if gain.interval else None,
        "bootstrap_interval": list(bootstrap) if bootstrap else None,
        "by_seed": {str(key): value for key, value in gain.by_seed.items()},
        "verdict": gain.verdict,
        "seeds_needed": gain.seeds_needed,
    }


def over_seeds(by_seed: Mapping[int, float], confidence: float) -> dict[str, Any]:
    """Give `by_seed`, their `mean` and its `interval` over seeds, of figures 0 … 1."""
    values = list(by_seed.values())
    interval = seeds_interval(values, confidence)
    return {
        "by_seed": {str(key): value for key, value in by_seed.items()},
        "mean": float(np.mean(values)),
        # Student's t knows nothing of accuracies: with few seeds it reaches beyond 0 and 1.
        "interval": [max(0.0, interval[0]), min(1.0, interval[1])] if interval else None,
    }
