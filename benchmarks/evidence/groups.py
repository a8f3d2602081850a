"""Guarantee and intervals where images come in groups, such as five copies of each."""

import numpy as np

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.edge.scores import apply_policy
from kdtasks.evaluate.exits.guarantee import guarantee
from kdtasks.evaluate.exits.rows import exit_rows, losses_of
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.intervals import accuracy_interval, bootstrap_interval, compare_paired

_EPSILON, _DELTA, _COPIES, _MACS = 0.02, 0.1, 5, (40, 100)
_POPULATION, _CONFIDENCE = 100_000, 0.95


def draw_logits(generator: np.random.Generator, images: int) -> np.ndarray:
    """Two classes, two exits: the first sees what the last sees through noise: [images, 2, 2]."""
    last = generator.normal(0, 1, images)
    first = last + generator.normal(0, 0.7, images)
    logits = np.zeros((images, 2, 2))
    logits[:, :, 0] = np.stack([first, last], axis=1)
    return logits


def _broken(trials: int) -> list[Rate]:
    """How often thresholds certified on copies change more answers than promised."""
    population = draw_logits(np.random.default_rng(0), _POPULATION)
    answers = population[:, -1].argmax(axis=1)
    settings = ExitsParams(mode="guarantee", epsilon=_EPSILON, delta=_DELTA, grid=101)
    told, untold, early = 0, 0, 0
    for trial in range(trials):
        generator = np.random.default_rng([1, trial])
        groups = generator.permutation(np.repeat(np.arange(400), _COPIES))
        logits = draw_logits(generator, 400)[groups]
        chosen = settings.model_copy(update={"seed": trial})
        labels = logits[:, -1].argmax(axis=1)
        losses = []
        for known in (groups, None):
            found = guarantee(logits, labels, chosen, macs=_MACS, groups=known)
            everyone = exit_rows(population, answers, temperatures=found.temperatures, macs=_MACS)
            losses.append(losses_of(everyone, found.thresholds).mean())
            if known is not None:
                early += int((apply_policy(everyone.scores, found.thresholds) == 0).any())
        told += int(losses[0] > _EPSILON)
        untold += int(losses[1] > _EPSILON)
    return [
        Rate("guarantee on 5 copies of each image, by group: broken", told, trials, at_most=_DELTA),
        Rate(
            "guarantee on 5 copies of each image, by group: images leave early",
            early,
            trials,
            at_least=0.5,
        ),
        Rate("guarantee on 5 copies of each image, taken for independent: broken", untold, trials),
    ]


def draw_answers(generator: np.random.Generator, groups: np.ndarray, *, alike: float) -> np.ndarray:
    """Whether each row is answered right, 80 % on average: bool [N].

    Args:
        groups: int [N], from 0.
        alike: probability that a row is answered as its group is, and not by its own luck.
    """
    of_group = (generator.random(groups.max() + 1) < 0.8)[groups]
    of_row = generator.random(len(groups)) < 0.8
    return np.where(generator.random(len(groups)) < alike, of_group, of_row)


def _covered(trials: int) -> list[Rate]:
    """How often intervals hold the truth, for groups of one to nine rows."""
    rates = []
    for count in (30, 100):
        generator = np.random.default_rng(count)
        held = {"accuracy": 0, "gain, score interval": 0, "gain, bootstrap": 0, "rows": 0}
        false_alarms = 0
        for trial in range(trials):
            groups = np.repeat(np.arange(count), generator.integers(1, 10, count))
            first, second = (draw_answers(generator, groups, alike=0.8) for _ in range(2))
            paired = compare_paired(
                first,
                second,
                method="mcnemar",
                confidence=0.5 + _CONFIDENCE / 2,
                samples=1,
                seed=0,
                groups=groups,
            )
            found = {
                "accuracy": (accuracy_interval(first, groups, _CONFIDENCE), 0.8),
                "rows": (accuracy_interval(first, None, _CONFIDENCE), 0.8),
                "gain, score interval": ((paired.lower, paired.upper), 0.0),
                "gain, bootstrap": (
                    bootstrap_interval(first[None], second[None], _CONFIDENCE, 400, trial, groups),
                    0.0,
                ),
            }
            for name, ((low, high), truth) in found.items():
                held[name] += int(low <= truth <= high)
            false_alarms += int(paired.p_value is not None and paired.p_value <= 1 - _CONFIDENCE)
        case = f"{count} groups of 1 to 9 rows"
        rates += [
            Rate(f"{case}: holds the accuracy", held["accuracy"], trials, at_least=0.93),
            Rate(f"{case}, taken for independent: holds the accuracy", held["rows"], trials),
            Rate(f"{case}: holds the gain", held["gain, score interval"], trials, at_least=0.93),
            Rate(
                f"{case}: bootstrap holds the gain", held["gain, bootstrap"], trials, at_least=0.9
            ),
            Rate(
                f"{case}: McNemar tells a difference",
                false_alarms,
                trials,
                at_most=0.05,
            ),
        ]
    return rates


def _simulate(trials: int) -> list[Rate]:
    return [*_broken(trials), *_covered(3 * trials)]


GROUPS = Promise(
    name="groups",
    sentence="Where images come in groups, the guarantee is broken in at most `exits.delta` of "
    "calibrations. 95 % intervals hold the truth in at least 93 % of test splits of 30 or "
    "more groups, a bootstrap's in 90 %.",
    simulate=_simulate,
    few=60,
    many=1000,
)
