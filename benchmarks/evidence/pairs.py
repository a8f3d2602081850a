"""Two models on the same images: the interval of their difference, and McNemar's test."""

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.evaluate.intervals import bootstrap_interval, mcnemar_p_value, score_interval

_CONFIDENCE = 0.95
_SAMPLES = 1000
_POPULATION = 2_000_000


def hard_images(
    generator: np.random.Generator, images: int, missed: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Chances [images] that a network of either kind misses an image; hard ones are so to both.

    Args:
        missed: fraction of all images that the first kind misses, and the second.
    """
    first = generator.beta(3 * missed[0], 3 * (1 - missed[0]), images)
    return first, np.minimum(1.0, first * missed[1] / missed[0])


def _score_rates(trials: int) -> list[Rate]:
    rates = []
    for images in (200, 1000):
        for gained, lost in ((0.01, 0.02), (0.03, 0.03), (0.02, 0.05), (0.1, 0.12)):
            shares = [gained, lost, 1 - gained - lost]
            drawn = np.random.default_rng(images).multinomial(images, shares, trials)[:, :2]
            covered = rejected = 0
            for (only_first, only_second), times in zip(
                *np.unique(drawn, axis=0, return_counts=True), strict=True
            ):
                counts = int(only_first), int(only_second)
                low, high = score_interval(*counts, images, _CONFIDENCE)
                covered += int(times) * (low <= gained - lost <= high)
                rejected += int(times) * (mcnemar_p_value(*counts) <= 1 - _CONFIDENCE)
            case = f"{images} images, {gained:.0%} gained and {lost:.0%} lost"
            held = f"{case}: Tango holds the difference"
            rates.append(Rate(held, covered, trials, at_least=0.93))
            if gained == lost:
                told = f"{case}: McNemar tells a difference"
                rates.append(Rate(told, rejected, trials, at_most=0.05))
    return rates


def _bootstrap_rates(trials: int) -> list[Rate]:
    rates = []
    for missed in ((0.02, 0.03), (0.1, 0.12)):
        generator = np.random.default_rng(1)
        all_first, all_second = hard_images(generator, _POPULATION, missed)
        truth = float(all_second.mean() - all_first.mean())
        for seeds in (1, 3):
            for images in (200, 360, 1000):
                covered = 0
                for trial in range(trials):
                    first, second = (
                        generator.random((seeds, images)) >= chance[None]
                        for chance in hard_images(generator, images, missed)
                    )
                    low, high = bootstrap_interval(first, second, _CONFIDENCE, _SAMPLES, trial)
                    covered += int(low <= truth <= high)
                case = f"{missed[0]:.0%} and {missed[1]:.0%} missed, {images} images"
                least = 0.92 if min(missed) * images >= 5 else None
                holds = f"{case}: bootstrap holds the gain, {seeds} seed{'s' * (seeds > 1)}"
                rates.append(Rate(holds, covered, trials, at_least=least))
    return rates


PAIRS = Promise(
    name="pairs",
    sentence="A 95 % interval of a difference on the same images holds it in at least 93 % of test "
    "splits; a bootstrap's in 92 % of those on which each model is wrong five times or "
    "more. McNemar's test tells equal models apart in at most 5 %.",
    simulate=lambda trials: [*_score_rates(10 * trials), *_bootstrap_rates(trials)],
    few=100,
    many=2000,
)
