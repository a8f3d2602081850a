"""What early exits lose on new images, after thresholds were chosen on a few."""

from collections.abc import Callable

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.evaluate.exits.rows import ExitRows, losses_of
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.exits.thresholds import choose_thresholds

_POPULATION, _JUDGED = 200_000, 50_000


def hard_images(images: int, exits: int) -> ExitRows:
    """Later exits are better, mistakes of exits are independent of each other."""
    generator = np.random.default_rng(exits)
    chance = np.clip(1 - generator.random((images, 1)) * np.linspace(1.2, 0.3, exits), 0.05, 1)
    return _rows(generator, chance, generator.random(chance.shape))


def easy_images(images: int, exits: int) -> ExitRows:
    """Most images are easy, and what one exit gets wrong the next ones get wrong the likelier."""
    generator = np.random.default_rng(exits)
    chance = np.clip(1 - generator.random((images, 1)) ** 4 * np.linspace(1, 0.3, exits), 0.05, 1)
    return _rows(generator, chance, generator.random((images, 1)))


def _rows(generator: np.random.Generator, chance: np.ndarray, luck: np.ndarray) -> ExitRows:
    scores = np.clip(chance + generator.normal(0, 0.1, chance.shape), 0.1, 1)
    return ExitRows(scores, luck < chance, 20 * np.arange(1, chance.shape[1] + 1))


def _simulate(trials: int) -> list[Rate]:
    kinds: dict[str, Callable[[int, int], ExitRows]] = {"hard": hard_images, "easy": easy_images}
    rates = []
    for kind, draw in kinds.items():
        for exits in (2, 3):
            everyone = draw(_POPULATION, exits)
            judged = everyone.take(np.arange(_JUDGED))
            for images in (200, 500, 2000):
                generator, exceeded = np.random.default_rng(images), 0
                for trial in range(trials):
                    shown = everyone.take(generator.choice(_POPULATION, images, replace=False))
                    settings = ExitsParams(max_accuracy_drop=0.01, grid=51, seed=trial)
                    chosen, _ = choose_thresholds(shown, settings)
                    exceeded += int(losses_of(judged, chosen.thresholds).mean() > 0.01)
                case = f"{kind} images, {exits} exits: beyond the limit, {images} rows"
                rates.append(Rate(case, exceeded, trials, at_most=0.5))
    return rates


DROP = Promise(
    name="drop",
    sentence="Thresholds of mode `drop` lose more than `exits.max_accuracy_drop` on new images in "
    "at most half of all calibrations.",
    simulate=_simulate,
    few=40,
    many=1000,
)
