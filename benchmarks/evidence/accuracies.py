"""Intervals of one accuracy over images, and of a mean over seeds."""

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.evaluate.comparison import over_seeds
from kdtasks.evaluate.intervals import wilson_interval

_CONFIDENCE = 0.95


def _of_images(images: int, accuracy: float, trials: int) -> list[Rate]:
    generator = np.random.default_rng((images, round(100 * accuracy)))
    drawn = generator.binomial(images, accuracy, trials)
    covered = above = 0
    for correct, times in zip(*np.unique(drawn, return_counts=True), strict=True):
        low, high = wilson_interval(int(correct), images, _CONFIDENCE)
        covered += int(times) * (low <= accuracy <= high)
        bound, _ = wilson_interval(int(correct), images, 2 * _CONFIDENCE - 1)
        above += int(times) * (bound > accuracy)
    case = f"{images} images, {accuracy:.0%} right"
    return [
        Rate(f"{case}: Wilson holds the truth", covered, trials, at_least=0.93),
        Rate(f"{case}: one-sided bound above the truth", above, trials, at_most=0.06),
    ]


def _of_seeds(seeds: int, trials: int) -> Rate:
    drawn = np.random.default_rng(seeds).normal(0.9, 0.01, (trials, seeds))
    found = (over_seeds(dict(enumerate(row)), _CONFIDENCE).interval for row in drawn)
    covered = sum(low <= 0.9 <= high for low, high in filter(None, found))
    case = f"{seeds} seeds: Student's t holds the mean"
    return Rate(case, covered, trials, at_least=0.95)


def _simulate(trials: int) -> list[Rate]:
    rates = [
        rate
        for images in (200, 1000, 10_000)
        for accuracy in (0.5, 0.9, 0.97, 0.99)
        for rate in _of_images(images, accuracy, trials)
    ]
    return rates + [_of_seeds(seeds, trials) for seeds in (2, 3, 5)]


ACCURACIES = Promise(
    name="accuracies",
    sentence="A 95 % interval of an accuracy holds the truth in at least 93 % of test splits with "
    "two or more expected mistakes, a one-sided bound in 94 %; one of a mean over seeds "
    "in 95 %.",
    simulate=_simulate,
    few=1000,
    many=20_000,
)
