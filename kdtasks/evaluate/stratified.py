"""Intervals of metrics in which every class counts alike: a paired bootstrap within the classes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdtasks.evaluate.clusters import Groups, members_of
from kdtasks.evaluate.intervals import Interval
from kdtasks.tasks.confusion import BY_CLASS

Weights = NDArray[np.float64]

# Images of each class besides its own, for every way to be answered.
_UNSEEN = 0.5

# Weights that are held in memory at a time, 8 bytes each.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class ComparedPredictions:
    """What one side, or two that are compared, answer on the same images.

    Attributes:
        labels: integers [N], 0 … classes − 1.
        models: one or two arrays of integers [models, N]; a side's score is the mean of its models.
        classes: how many there are.
        groups: integers [N], the group of each image; None: each is on its own.
    """

    labels: NDArray[np.integer]
    models: tuple[NDArray[np.integer], ...]
    classes: int
    groups: Groups | None = None


def stratified_interval(
    compared: ComparedPredictions, metric: str, *, confidence: float, samples: int, seed: int
) -> Interval:
    """Give the percentile interval of a side's metric, or of the first's less the second's.

    A resample weighs the groups, each with all its images and the answers of all models, by random
    numbers of mean 1 (the Bayesian bootstrap), and then the images of every class to their number.
    Besides its own, every class has half an image for each way in which the sides may be right or
    wrong: so a class without an error, or without a difference, has a spread as well. Groups of
    several images are worth fewer by (z / t)², as in `independent_fraction`.

    Args:
        compared: labels and answers.
        metric: a key of `BY_CLASS`.
        confidence: level of the interval, 0 … 1 without the ends.
        samples: number of resamples.
        seed: seed of the resampling.

    Source: Rubin 1981, Ann. Statist. 9, 130-134; the halves are Jeffreys' prior.
    """
    score, drawn = BY_CLASS[metric], []
    for weights in _resamples(compared, confidence, samples, np.random.default_rng(seed)):
        models = [
            np.mean([score(*weights.counts(model, index)) for model in models], axis=0)
            for index, models in enumerate(weights.rows.models)
        ]
        drawn.append(models[0] - models[1] if len(models) > 1 else models[0])
    scores = np.concatenate(drawn)
    low, high = np.quantile(scores, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


class _Resamples(NamedTuple):
    """Some resamples.

    Attributes:
        rows: what each weight is of.
        totals: [classes], images of each class.
        own: [resamples, rows], weight of each row.
        added: [resamples, classes, 2, …], weight of the images besides, by class and whether each
            side is right.
    """

    rows: ComparedPredictions
    totals: Weights
    own: Weights
    added: Weights

    def counts(self, answers: NDArray[np.integer], side: int) -> tuple[Weights, Weights, Weights]:
        """Count what a model gets right, the labels and the answers: [resamples, classes] each."""
        labels, classes = self.rows.labels, self.rows.classes
        others = tuple(axis for axis in range(2, self.added.ndim) if axis != 2 + side)
        wrong, right = np.moveaxis(self.added.sum(axis=others), -1, 0)
        is_right = answers == labels
        hits = right + _sum_by(self.own[:, is_right], labels[is_right], classes)
        # which other class is answered wrongly nobody knows, but none that no image is of
        present = self.totals > 0
        spread = present * (wrong.sum(axis=1, keepdims=True) - wrong) / max(present.sum() - 1, 1)
        answered = right + spread + _sum_by(self.own, answers, classes)
        return hits, np.broadcast_to(self.totals, hits.shape), answered


def _resamples(
    compared: ComparedPredictions, confidence: float, samples: int, generator: np.random.Generator
) -> Iterator[_Resamples]:
    """Draw resamples, a few at a time."""
    labels, classes = compared.labels, compared.classes
    members = members_of(compared.groups, len(labels))
    totals = np.bincount(labels, minlength=classes).astype(np.float64)
    units = np.unique(np.stack([labels, members]), axis=1)[0]
    group_size = totals / np.maximum(np.bincount(units, minlength=classes), 1)
    rows, owners, shapes, scale = compared, members, np.ones(int(members.max()) + 1), 1.0
    if len(shapes) == len(labels):  # images with the same label and answers are drawn as one
        rows, shapes = _patterns(compared)
        owners = np.arange(len(shapes))
    else:
        shapes *= (worth := _worth(len(shapes), confidence))
        scale = 1 / worth
    kinds = (2,) * len(compared.models)
    step = max(1, _CHUNK // max(len(owners), classes * 2 ** len(kinds)))
    for start in range(0, samples, step):
        count = min(step, samples - start)
        own = scale * generator.gamma(shapes, size=(count, len(shapes)))[:, owners]
        added = generator.gamma(_UNSEEN, size=(count, classes, *kinds))
        added *= group_size.reshape(-1, *(1 for _ in kinds))
        sums = _sum_by(own, rows.labels, classes) + added.reshape(count, classes, -1).sum(axis=2)
        factors = np.divide(totals, sums, out=np.zeros_like(sums), where=sums > 0)
        own *= factors[:, rows.labels]
        added *= factors.reshape(*factors.shape, *(1 for _ in kinds))
        yield _Resamples(rows, totals, own, added)


def _patterns(compared: ComparedPredictions) -> tuple[ComparedPredictions, Weights]:
    """Put together the images with the same label and the same answers, and count them."""
    sizes = [len(model) for model in compared.models]
    table = np.vstack([compared.labels, *compared.models])
    patterns, counts = np.unique(table, axis=1, return_counts=True)
    split = np.split(patterns[1:], np.cumsum(sizes)[:-1])
    return ComparedPredictions(patterns[0], tuple(split), compared.classes), counts.astype(
        np.float64
    )


def _worth(units: int, confidence: float) -> float:
    """Give the shape of a group's weight, so that a normal quantile stands for Student's t."""
    from scipy.special import ndtri, stdtrit  # heavy, and only needed here

    if units == 1:
        return 1.0
    tail = 0.5 + confidence / 2
    # The variance of a mean of Dirichlet weights is that of the values over units · shape + 1.
    shape = (units - 1) * float(ndtri(tail) / stdtrit(units - 1, tail)) ** 2
    return max(shape - 1, 1.0) / units


def _sum_by(weights: Weights, index: NDArray[np.integer], classes: int) -> Weights:
    """Sum the columns of [resamples, rows] by class: [resamples, classes]."""
    sums = np.zeros((len(weights), classes))
    if len(index):
        order = np.argsort(index, kind="stable")
        present, starts = np.unique(index[order], return_index=True)
        sums[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums
