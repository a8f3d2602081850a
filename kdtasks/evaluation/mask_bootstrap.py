"""Intervals of the mean IoU, by drawing source pictures anew with all their pixels.

Pixels of one picture resemble each other, and so do patches that were cut from it; what an
interval is about is other pictures.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.errors import EvaluationError
from kdtasks.evaluation.intervals import Interval, check_confidence

Counts = npt.NDArray[np.int64]


class Bootstrap(NamedTuple):
    """How to draw.

    Attributes:
        confidence: level of the interval, 0 … 1 without the ends.
        samples: number of resamples.
        seed: seed of the resampling.
    """

    confidence: float
    samples: int
    seed: int


def mean_iou_interval(confusions: Counts, bootstrap: Bootstrap) -> Interval | None:
    """Give the percentile bootstrap interval of the mean IoU over source pictures.

    Arguments:
        confusions: int64 [pictures, classes, classes].
        bootstrap: level, resamples and seed.

    Returns: the interval; None for a single picture, which shows no spread.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    _check(confusions[None], bootstrap)
    drawn = _draw(len(confusions), bootstrap)
    return _percentiles(_resampled_iou(confusions, drawn), bootstrap, len(confusions))


def gain_interval(first: Counts, second: Counts, bootstrap: Bootstrap) -> Interval | None:
    """Give the interval of the mean over seeds of mean IoU of `first` less that of `second`.

    A resample draws pictures, each with the answers of all seeds of both, so pairs stay together.
    The seeds are taken as given: the interval holds for these networks on other pictures.

    Arguments:
        first, second: int64 [seeds, pictures, classes, classes], of the same seeds and pictures.
        bootstrap: as for `mean_iou_interval`.

    Raises:
        EvaluationError: the shapes differ, or there is nothing to draw from.
    """
    if first.shape != second.shape:
        raise EvaluationError(
            f"got confusions {list(first.shape)} and {list(second.shape)}; both must be [seeds, "
            "pictures, classes, classes] of the same seeds and pictures"
        )
    _check(first, bootstrap)
    pictures = first.shape[1]
    drawn = _draw(pictures, bootstrap)
    differences = [
        _resampled_iou(one, drawn) - _resampled_iou(other, drawn)
        for one, other in zip(first, second, strict=True)
    ]
    return _percentiles(np.mean(differences, axis=0), bootstrap, pictures)


def _draw(pictures: int, bootstrap: Bootstrap) -> Counts:
    """How often each picture is drawn in each resample: int64 [samples, pictures]."""
    shares = np.full(pictures, 1 / pictures)
    generator = np.random.default_rng(bootstrap.seed)
    return generator.multinomial(pictures, shares, size=bootstrap.samples)


def _resampled_iou(confusions: Counts, drawn: Counts) -> npt.NDArray[np.float64]:
    """Mean IoU of each resample [samples], over the classes that occur in it."""
    totals = np.tensordot(drawn, confusions, axes=1)
    right = np.diagonal(totals, axis1=1, axis2=2)
    either = totals.sum(axis=1) + totals.sum(axis=2) - right
    occurs = either > 0
    shares = np.divide(right, either, out=np.zeros(right.shape), where=occurs)
    means: npt.NDArray[np.float64] = shares.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
    return means


def _percentiles(
    values: npt.NDArray[np.float64], bootstrap: Bootstrap, pictures: int
) -> Interval | None:
    if pictures < 2:
        return None
    low, high = np.quantile(
        values, [0.5 - bootstrap.confidence / 2, 0.5 + bootstrap.confidence / 2]
    )
    return float(low), float(high)


def _check(confusions: Counts, bootstrap: Bootstrap) -> None:
    check_confidence(bootstrap.confidence)
    if confusions.ndim != 4 or confusions.size == 0:
        raise EvaluationError(
            f"got confusions {list(confusions.shape)}; [pictures, classes, classes] of at least "
            "one picture were expected"
        )
