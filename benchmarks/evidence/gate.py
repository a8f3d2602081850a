"""How often the gate promotes a model that is worse than it allows."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.evidence.masks import confuse
from benchmarks.evidence.promise import Promise, Rate
from kdtasks.core.latency import Latency
from kdtasks.deploy.gate.decision import Contender, GateParams, decide
from kdtasks.evaluate.class_score import ClassScore
from kdtasks.evaluate.intervals import bootstrap_interval
from kdtasks.evaluate.pixel_counts import PixelCounts
from kdtasks.evaluate.score import Score
from kdtasks.evaluate.settings import EvaluateParams

_EVALUATE = EvaluateParams(bootstrap_samples=1000)
_CLASSES = 3
_LATENCY = Latency(mean=1.0, p50=1.0, p90=1.0, p99=1.0, worst=1.0)


def _promoted(draw: Callable[[], tuple[Score, ...]], limits: GateParams, trials: int) -> int:
    count = 0
    for _ in range(trials):
        candidate, production = (Contender("it", score, 1000, _LATENCY) for score in draw())
        count += int(decide(candidate, production, limits=limits).action == "promote")
    return count


def answers(
    generator: np.random.Generator, images: int, *, gained: float, lost: float
) -> tuple[ClassScore, ClassScore]:
    """Two classifiers, of whom only the first, and only the second, is right so often."""
    drawn = np.searchsorted([gained, gained + lost], generator.random(images), side="right")
    labels, names = np.ones(images, np.int64), ("wrong", "right")
    first, second = (
        ClassScore(labels, (drawn != place).astype(np.int64), names, _EVALUATE) for place in (1, 0)
    )
    return first, second


def masks(generator: np.random.Generator, images: int) -> tuple[PixelCounts, ...]:
    """Two models of masks, alike in truth, with errors of their own on the same images."""
    fractions = generator.dirichlet(np.full(_CLASSES, 0.7), images)
    rest: Any = np.zeros(0, np.int64), np.zeros(0, np.uint8), ("a", "b", "c"), _EVALUATE
    return tuple(
        PixelCounts(confuse(generator, fractions, recall=(6.0, 2.0)), *rest) for _ in range(2)
    )


def _bootstrap_alone(trials: int, images: int, gained: float, drop: float) -> Rate:
    """What the gate does not do: trust the percentiles where few images tell the two apart."""
    generator, count = np.random.default_rng(images), 0
    for trial in range(trials):
        pair = answers(generator, images, gained=gained, lost=gained + drop)
        first, second = (score.correct[None] for score in pair)
        count += int(bootstrap_interval(first, second, 0.9, 1000, trial)[0] >= -drop)
    case = f"{images} images, {gained:.1%} gained, {drop:.0%} more lost"
    return Rate(f"{case}: a bootstrap alone", count, trials)


def _simulate(trials: int) -> list[Rate]:
    rates = []
    for limits in (GateParams(), GateParams(method="bootstrap")):
        drop = limits.max_drop
        for images in (200, 1000, 5000):
            for gained in (0.005, 0.05):
                generator = np.random.default_rng(images)
                draw = partial(answers, generator, images, gained=gained, lost=gained + drop)
                case = f"{images} images, {gained:.1%} gained, {drop:.0%} more lost"
                count = _promoted(draw, limits, trials)
                rates.append(Rate(f"{case}: `{limits.method}`", count, trials, at_most=0.05))
    rates += [_bootstrap_alone(trials, *case, 0.01) for case in ((200, 0.005), (1000, 0.0))]
    proof = GateParams(max_accuracy_drop=0)
    for images in (30, 100):
        count = _promoted(partial(masks, np.random.default_rng(images), images), proof, trials)
        case = f"masks of {images} images, two equal models, no drop allowed: `mcnemar`"
        rates.append(Rate(case, count, trials, at_most=0.05))
    return rates


GATE = Promise(
    name="gate",
    sentence="The gate promotes a model that loses `gate.max_accuracy_drop`, or more, in at most 5 "
    "% of decisions (`gate.confidence` 0.95), whatever other limits it has.",
    simulate=_simulate,
    few=200,
    many=5000,
)
