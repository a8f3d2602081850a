"""Intervals of the metrics in which every class counts alike, where a class has few images."""

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence.promise import Promise, Rate
from kdtasks.core.latency import Latency
from kdtasks.deploy.gate.decision import Contender, GateParams, decide
from kdtasks.evaluate.class_score import ClassScore
from kdtasks.evaluate.settings import EvaluateParams
from kdtasks.evaluate.stratified import ComparedPredictions, stratified_interval
from kdtasks.tasks.confusion import BY_CLASS

_CONFIDENCE, _SAMPLES = 0.95, 400
_NAMES = {"balanced_accuracy": "balanced accuracy", "macro_f1": "macro-F1"}
_LATENCY = Latency(mean=1.0, p50=1.0, p90=1.0, p99=1.0, worst=1.0)

# Images of each class, and how likely a model answers each class (across) to each (down).
_FEW = ((90, 5), ((0.98, 0.02), (0.4, 0.6)))
_RARE = ((200, 20), ((0.95, 0.05), (0.3, 0.7)))
_EVEN = ((100, 100), ((0.9, 0.1), (0.1, 0.9)))
_THREE = ((60, 20, 6), ((0.9, 0.07, 0.03), (0.1, 0.8, 0.1), (0.2, 0.2, 0.6)))
# One that is worse at the rarest class.
_WORSE = {_RARE: ((0.95, 0.05), (0.5, 0.5)), _THREE: (*_THREE[1][:2], (0.3, 0.3, 0.4))}

Odds = Sequence[Sequence[float]]


def _true_score(metric: str, sizes: Sequence[int], odds: Odds) -> float:
    """What a model with these odds reaches where the classes have just these sizes."""
    expected = np.array(sizes)[:, None] * np.array(odds)
    counts = np.diag(expected), expected.sum(axis=1), expected.sum(axis=0)
    return float(BY_CLASS[metric](*counts))


def draw_answers(labels: NDArray[np.integer], odds: Odds, luck: NDArray[np.floating]) -> NDArray:
    """Answer as likely as the odds say; `luck` is uniform [N]."""
    limits = np.cumsum(odds, axis=1)[:, :-1]
    answers: NDArray[np.integer] = (luck[:, None] > limits[labels]).sum(axis=1)
    return answers


def _held(
    compared: ComparedPredictions, truths: dict[str, float], held: dict[str, int], seed: int
) -> None:
    for metric, truth in truths.items():
        low, high = stratified_interval(
            compared, metric, confidence=_CONFIDENCE, samples=_SAMPLES, seed=seed
        )
        held[metric] += int(low <= truth <= high)


def _independent(trials: int) -> Iterator[Rate]:
    """Models whose answers share two thirds of their luck, alike in truth or not."""
    for number, (sizes, odds) in enumerate((_FEW, _RARE, _EVEN, _THREE)):
        labels, generator = np.repeat(np.arange(len(sizes)), sizes), np.random.default_rng(number)
        worse = _WORSE.get((sizes, odds), odds)
        truths = {metric: _true_score(metric, sizes, odds) for metric in BY_CLASS}
        gains = {key: truth - _true_score(key, sizes, worse) for key, truth in truths.items()}
        alone, paired = dict.fromkeys(BY_CLASS, 0), dict.fromkeys(BY_CLASS, 0)
        for trial in range(trials):
            luck, own = generator.random((2, len(labels)))
            other = np.where(generator.random(len(labels)) < 2 / 3, luck, own)
            first, second = draw_answers(labels, odds, luck), draw_answers(labels, worse, other)
            _held(ComparedPredictions(labels, (first[None],), len(sizes)), truths, alone, trial)
            pair = ComparedPredictions(labels, (first[None], second[None]), len(sizes))
            _held(pair, gains, paired, trial)
        case = f"classes of {', '.join(map(str, sizes))} images"
        case += ", one worse" if worse != odds else ""
        for metric, name in _NAMES.items():
            yield Rate(f"{case}: holds the {name}", alone[metric], trials, at_least=0.9)
            yield Rate(f"{case}: holds the gain in {name}", paired[metric], trials, at_least=0.9)


def _grouped(trials: int) -> Iterator[Rate]:
    """Groups of one to nine images of a class, most answered alike."""
    sizes, odds = (150, 75), ((0.9, 0.1), (0.3, 0.7))
    labels, generator = np.repeat(np.arange(2), sizes), np.random.default_rng(7)
    truths = {metric: _true_score(metric, sizes, odds) for metric in BY_CLASS}
    none = dict.fromkeys(BY_CLASS, 0.0)
    held = {kind: dict.fromkeys(BY_CLASS, 0) for kind in ("truth", "no gain", "rows")}
    for trial in range(trials):
        groups, numbers = [], count()
        for size in sizes:
            lengths = generator.integers(1, 10, size)
            groups.append(np.repeat([next(numbers) for _ in lengths], lengths)[:size])
        members = np.concatenate(groups)
        sides = []
        for _ in range(2):
            together = generator.random(int(members.max()) + 1)[members]
            alike = generator.random(len(labels)) < 0.8
            luck = np.where(alike, together, generator.random(len(labels)))
            sides.append(draw_answers(labels, odds, luck)[None])
        _held(ComparedPredictions(labels, (sides[0],), 2, members), truths, held["truth"], trial)
        _held(ComparedPredictions(labels, (sides[0],), 2), truths, held["rows"], trial)
        _held(ComparedPredictions(labels, tuple(sides), 2, members), none, held["no gain"], trial)
    for metric, name in _NAMES.items():
        case, held_name = "45 groups of 1 to 9 images", f"holds the {name}"
        yield Rate(f"{case}: {held_name}", held["truth"][metric], trials, at_least=0.9)
        gain = f"{case}: holds the gain in {name}"
        yield Rate(gain, held["no gain"][metric], trials, at_least=0.9)
        yield Rate(f"{case}, taken for independent: {held_name}", held["rows"][metric], trials)


def _gated(trials: int) -> Rate:
    """A model that loses just the limit: two points of the recall of one class in two."""
    labels, generator = np.repeat(np.arange(2), (500, 100)), np.random.default_rng(11)
    settings, limits = EvaluateParams(metric="balanced_accuracy"), GateParams()
    promoted = 0
    for _ in range(trials):
        luck, own = generator.random((2, len(labels)))
        other = np.where(generator.random(len(labels)) < 0.9, luck, own)
        candidate, production = (
            ClassScore(labels, answers, ("common", "rare"), settings)
            for answers in (
                draw_answers(labels, ((0.98, 0.02), (0.22, 0.78)), luck),
                draw_answers(labels, ((0.98, 0.02), (0.2, 0.8)), other),
            )
        )
        models = (Contender("it", score, 1000, _LATENCY) for score in (candidate, production))
        promoted += int(decide(*models, limits=limits).action == "promote")
    case = "classes of 500 and 100 images, 1% more lost: promoted"
    return Rate(case, promoted, trials, at_most=0.1)


def _simulate(trials: int) -> list[Rate]:
    return [*_independent(trials), *_grouped(trials), _gated(trials)]


CLASSES = Promise(
    name="classes",
    sentence="95 % intervals of balanced accuracy and macro-F1, and of two models' difference in "
    "them, hold the truth in at least 90 % of test splits whose rarest class has five "
    "images or more. The gate by balanced accuracy promotes a model that loses the limit "
    "in at most 10 % of decisions.",
    simulate=_simulate,
    few=60,
    many=1000,
)
