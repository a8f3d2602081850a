"""How often thresholds of mode `guarantee` break their promise on new images."""

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.evaluate.exits.guarantee import guarantee
from kdtasks.evaluate.exits.rows import exit_rows, losses_of
from kdtasks.evaluate.exits.settings import ExitsParams, Risk

_POPULATION = 20_000
_MACS = (20, 50, 100)
_EPSILON, _DELTA = 0.02, 0.1


def draw_logits(images: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits [images, 3, 5] and labels [images]: later exits see a clearer signal.

    Hard images have a weak one at every exit.
    """
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 5, images)
    strength = generator.gamma(2.0, 2.5, images)[:, None, None]
    clearness = np.array([0.6, 0.9, 1.2])[None, :, None]
    noise = generator.normal(size=(images, len(_MACS), 5))
    return np.eye(5)[labels][:, None] * strength * clearness + noise, labels


def _simulate(trials: int) -> list[Rate]:
    logits, labels = draw_logits(_POPULATION)
    rates = []
    risks: tuple[Risk, ...] = ("consistency", "accuracy_gap")
    for risk in risks:
        truth = labels if risk == "accuracy_gap" else logits[:, -1].argmax(axis=1)
        for images in (500, 2000):
            generator, broken, certified = np.random.default_rng(images), 0, 0
            for trial in range(trials):
                drawn = generator.integers(0, _POPULATION, images)
                settings = ExitsParams(
                    mode="guarantee", risk=risk, epsilon=_EPSILON, delta=_DELTA, seed=trial, grid=12
                )
                found = guarantee(logits[drawn], labels[drawn], settings, macs=_MACS)
                everyone = exit_rows(logits, truth, temperatures=found.temperatures, macs=_MACS)
                broken += int(losses_of(everyone, found.thresholds).mean() > _EPSILON)
                certified += int(found.promise.certified)
            case = f"`{risk}`, {images} calibration images"
            broken_case = f"{case}: more than {_EPSILON:.0%} on new images"
            rates.append(Rate(broken_case, broken, trials, at_most=_DELTA))
            rates.append(Rate(f"{case}: early exits certified", certified, trials))
    return rates


GUARANTEE = Promise(
    name="guarantee",
    sentence="Thresholds of mode `guarantee` exceed `exits.epsilon` on new images in at most a "
    "fraction `exits.delta` of all calibrations, 10 % by default, of independent images.",
    simulate=_simulate,
    few=60,
    many=1000,
)
