"""Verdicts over seeds, of a user who adds as many seeds as the report asks for."""

from collections.abc import Sequence

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.core.records.evaluate import Gain
from kdtasks.evaluate.comparison import gain_of
from kdtasks.evaluate.looks import LOOKS

_CONFIDENCE = 0.95
_MOST = LOOKS[-1].seeds


def follow_the_advice(gains: Sequence[float], begin: int) -> str:
    """Look at the first `begin` gains, then at as many more as are asked for, to the verdict."""
    seeds = begin
    while True:
        found = _gain(gains[:seeds])
        if found.seeds_needed is None:
            return found.verdict
        seeds += found.seeds_needed


def look_at_every_seed(gains: Sequence[float]) -> bool:
    """Whether any number of seeds from 2 on gave a verdict, right or wrong."""
    return any(_gain(gains[:seeds]).verdict != "inconclusive" for seeds in range(2, _MOST + 1))


def _gain(gains: Sequence[float]) -> Gain:
    nothing = dict.fromkeys(range(len(gains)), 0.0)
    return gain_of(dict(enumerate(gains)), nothing, bootstrap=None, confidence=_CONFIDENCE)


def _simulate(trials: int) -> list[Rate]:
    nothing = np.random.default_rng(0).normal(0.0, 1.0, (trials, _MOST))
    something = np.random.default_rng(1).normal(1.0, 1.0, (trials, _MOST))
    rates = [
        Rate(
            f"no difference, from {begin} seeds on: a verdict",
            sum(follow_the_advice(gains, begin) != "inconclusive" for gains in nothing),
            trials,
            at_most=0.05,
        )
        for begin in (3, 5)
    ]
    rates.append(
        Rate(
            "no difference, every number of seeds looked at: a verdict",
            sum(map(look_at_every_seed, nothing)),
            trials,
            at_most=0.05,
        )
    )
    for begin in (3, 5):
        found = [follow_the_advice(gains, begin) for gains in something]
        rates.append(
            Rate(
                f"difference of one standard deviation, from {begin} seeds on: found",
                found.count("helps"),
                trials,
                at_least=0.65,
            )
        )
    return rates


SEEDS = Promise(
    name="seeds",
    sentence="A verdict over seeds is false in at most 5 % of experiments, also where seeds are "
    "added as the report asks for, up to 20.",
    simulate=_simulate,
    few=300,
    many=2000,
)
