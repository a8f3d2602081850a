"""How many labels a teacher is worth, of sweeps whose learning curves are known."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import brentq

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.evaluate.looks import look_at
from kdtasks.orchestrate.sweep.label_curve import LabelWorth, label_worth

_CONFIDENCE = 0.95
_SHARED, _OWN = 0.003, 0.005  # standard deviations of a seed, and of each of its trainings
_POINTS = (100, 300, 1000, 3000)
_JUDGED = 1  # place of the point that counts, so that trials are independent

Curve = Callable[[float], float]


def straight(labels: float) -> float:
    """Rise by eight percentage points a decade."""
    return 0.7 + 0.08 * float(np.log10(labels / 100))


def levelling_off(labels: float) -> float:
    """Follow a power law, as learning curves mostly do."""
    return 0.97 - 1.7 * float(labels) ** -0.5


def covers(worth: LabelWorth, truth: float) -> bool:
    """Whether the interval, of whole numbers, holds the true number; infinity lies beyond."""
    low, high = worth.interval
    return (low is None or low - 1 < truth) and (high is None or truth < high + 1)


def _trials(
    alone: Curve, lead: float, seeds: int, trials: int, points: Sequence[int] = _POINTS
) -> list[LabelWorth]:
    generator, look = np.random.default_rng(0), look_at(seeds)
    assert look is not None  # simulated are numbers of seeds at which a verdict falls
    shape = (len(points), seeds)
    means = np.array([alone(number) for number in points])[:, None]
    found = []
    for _ in range(trials):
        shared = generator.normal(0.0, _SHARED, seeds)
        student = means + shared + generator.normal(0.0, _OWN, shape)
        distilled = means + lead + shared + generator.normal(0.0, _OWN, shape)
        worth = label_worth(points, student, distilled, look.confidence(_CONFIDENCE))
        found.append(worth[_JUDGED])
    return found


def _truth(alone: Curve, lead: float, points: Sequence[int] = _POINTS) -> float:
    goal = alone(points[_JUDGED]) + lead
    if goal > alone(points[-1]):
        return float("inf")
    return float(brentq(lambda labels: alone(labels) - goal, points[0], points[-1]))


def _simulate(trials: int) -> list[Rate]:
    rates = []
    for name, alone in (("straight", straight), ("levelling off", levelling_off)):
        for seeds in (3, 5, 10):
            truth = _truth(alone, 0.03)
            held = sum(covers(worth, truth) for worth in _trials(alone, 0.03, seeds, trials))
            case = f"curve {name}: holds the true number, {seeds} seeds"
            rates.append(Rate(case, held, trials, at_least=_CONFIDENCE))
    beyond = _trials(straight, 0.085, 5, trials)
    rates.append(
        Rate(
            "true number beyond the curve, 5 seeds: interval is open above",
            sum(covers(worth, _truth(straight, 0.085)) for worth in beyond),
            trials,
            at_least=_CONFIDENCE,
        )
    )
    nothing = _trials(straight, 0.0, 5, trials)
    rates.append(
        Rate(
            "teacher without effect, 5 seeds: said to be worth more labels, or fewer",
            sum(not covers(worth, _POINTS[_JUDGED]) for worth in nothing),
            trials,
            at_most=1 - _CONFIDENCE,
        )
    )
    return rates


LABELS = Promise(
    name="labels",
    sentence="The interval of how many labels the student alone needs holds the truth in at least "
    "95 % of sweeps.",
    simulate=_simulate,
    few=150,
    many=2000,
)
