"""Trainings whose validation score wanders about one value, and trainings that still rise."""

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.learn.training.trend import still_rising, trend_of

# Standard deviation of an epoch's score: two points, so that a rise of half a point is noise.
_SCATTER = 0.02


def is_reported(rise: float, *, epochs: int, runs: int, memory: float, seed: int) -> bool:
    """Whether runs are said to be still improving that rise in the second half of their epochs.

    Args:
        rise: true one, of the score.
        memory: correlation of an epoch's deviation with that of the epoch before.
        seed: of the deviations.
    """
    from scipy.signal import lfilter

    shocks = np.random.default_rng(seed).normal(0, _SCATTER, (runs, 20 + epochs))
    shocks[:, 1:] *= (1 - memory**2) ** 0.5
    scores = 0.7 + lfilter([1.0], [1.0, -memory], shocks)[:, 20:]
    scores += rise * np.arange(epochs) / (epochs // 2)
    histories = [[{"validation_accuracy": score} for score in row] for row in scores.tolist()]
    return still_rising([trend for row in histories if (trend := trend_of(row))]) is not None


def _simulate(trials: int) -> list[Rate]:
    rates = []
    for epochs, runs, memory in (
        (12, 1, 0.0),
        (30, 1, 0.0),
        (30, 1, 0.3),
        (30, 3, 0.3),
        (12, 3, 0.0),
    ):
        told = [
            is_reported(0.0, epochs=epochs, runs=runs, memory=memory, seed=seed)
            for seed in range(trials)
        ]
        case = f"{runs} × {epochs} epochs about one value, correlation {memory}: told"
        rates.append(Rate(case, sum(told), trials, at_most=0.05))
    told = [is_reported(0.06, epochs=30, runs=3, memory=0.3, seed=seed) for seed in range(trials)]
    rates.append(
        Rate("3 × 30 epochs, rise of three scatters: told", sum(told), trials, at_least=0.65)
    )
    return rates


IMPROVING = Promise(
    name="improving",
    sentence="Of trainings that have stopped improving at most 5 % are said to be still improving.",
    simulate=_simulate,
    few=200,
    many=2000,
)
