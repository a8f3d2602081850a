"""Verdicts of a sweep: many points, compared with the same students from scratch."""

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.evaluate.looks import LOOKS
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.orchestrate.sweep.statistics import point_gains

_CONFIDENCE = 0.95
_SPREAD = 0.01


def verdicts(student: np.ndarray, distilled: np.ndarray, seeds: int) -> list[str]:
    """Judge the points of a sweep by its first seeds.

    Args:
        student: accuracies [seeds] from scratch, which all points share.
        distilled: of every point [points, seeds].
    """
    results = {
        str(point): PointResult(
            student=dict(enumerate(student[:seeds])),
            distilled=dict(enumerate(row[:seeds])),
            validation={},
            teacher=1.0,
            rows=1000,
            bootstrap=None,
            labels=100,
        )
        for point, row in enumerate(distilled)
    }
    found = point_gains(results, compared=len(results), confidence=_CONFIDENCE)
    return [gain.verdict for gain in found.values()]


def _simulate(trials: int) -> list[Rate]:
    rates = []
    most = LOOKS[-1].seeds
    for points, helpful in ((5, 0), (20, 0), (20, 5)):
        generator = np.random.default_rng(points + helpful)
        once = ever = 0
        for _ in range(trials):
            student = generator.normal(0.9, _SPREAD, most)
            distilled = generator.normal(0.9, _SPREAD, (points, most))
            distilled[:helpful] += 3 * _SPREAD
            false = [
                any(verdict != "inconclusive" for verdict in found[helpful:])
                for found in (verdicts(student, distilled, look.seeds) for look in LOOKS)
            ]
            once, ever = once + false[1], ever + any(false)
        case = f"{points} points, of which {helpful} help"
        for when, count in ((f"{LOOKS[1].seeds} seeds", once), ("at any look", ever)):
            rates.append(Rate(f"{case}, {when}: a false verdict", count, trials, at_most=0.05))
    return rates


SWEEP = Promise(
    name="sweep",
    sentence="A sweep gives a false verdict, on any of its points, in at most 5 % of all sweeps, "
    "also if seeds are added.",
    simulate=_simulate,
    few=40,
    many=1000,
)
