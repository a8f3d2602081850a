"""Count what a model answers on masks, a few patches at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records.evaluate import ModelScores
from kdtasks.edge.scores import softmax
from kdtasks.evaluate.intervals import Interval, check_confidence
from kdtasks.evaluate.metrics import THRESHOLDS, count_probabilities, mask_scores
from kdtasks.tasks.confusion import confusion_matrix, counted

# From uint8 [N, height, width, channels] to float logits [N, height, width, classes].
Answer = Callable[[Any], npt.NDArray[Any]]

# Logits, float32, that are held in memory at a time.
_CHUNK_BYTES = 64_000_000
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MaskTally:
    """Counts of labelled pixels.

    Attributes:
        confusions: int64 [images, classes, classes], by source image, label and answer.
        probabilities: int64 [classes, 2, thresholds], as of `count_probabilities`.
        predicted: uint8 [N, height, width], the answers.
    """

    confusions: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.uint8]

    def scores(self, class_names: Sequence[str]) -> ModelScores:
        """Give `mask_scores`."""
        return mask_scores(self.confusions.sum(axis=0), self.probabilities, class_names)


def tally(
    answer: Answer,
    images: Any,
    labels: Any,
    sources: npt.NDArray[np.integer],
    *,
    num_classes: int,
    ignore_label: int | None,
) -> MaskTally:
    """Ask a model about every patch and count.

    Args:
        answer: the model.
        images: uint8 [N, height, width, channels].
        labels: integers [N, height, width]; `ignore_label` counts nowhere.
        sources: integers [N], the source image of every patch, 0, 1, …
    """
    confusions = np.zeros((int(sources.max()) + 1, num_classes, num_classes), np.int64)
    probabilities = np.zeros((num_classes, 2, THRESHOLDS), np.int64)
    predicted = np.empty(labels.shape, np.uint8)
    chunk = max(1, _CHUNK_BYTES // (4 * num_classes * int(np.prod(labels.shape[1:]))))
    for start in range(0, len(images), chunk):
        rows = slice(start, start + chunk)
        logits, truth = answer(images[rows]), np.asarray(labels[rows])
        predicted[rows] = logits.argmax(axis=-1)
        for place, row in enumerate(range(start, start + len(truth))):
            confusions[sources[row]] += confusion_matrix(
                predicted[row], truth[place], num_classes, ignore_label
            )
        counts = counted(truth, ignore_label)
        probabilities += count_probabilities(softmax(logits[counts]), truth[counts])
    return MaskTally(confusions, probabilities, predicted)


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
    """Give the percentile bootstrap interval of the mean IoU over source images.

    Args:
        confusions: int64 [images, classes, classes].
        bootstrap: level, resamples and seed.

    Returns: the interval; None for a single image, which shows no spread.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    _check(confusions[None], bootstrap)
    drawn = _draw(len(confusions), bootstrap)
    return _percentiles(_resampled_iou(confusions, drawn), bootstrap, len(confusions))


def gain_interval(first: Counts, second: Counts, bootstrap: Bootstrap) -> Interval | None:
    """Give the interval of the mean over seeds of mean IoU of `first` less that of `second`.

    A resample draws images, each with the answers of all seeds of both, so pairs stay together.
    The seeds are taken as given: the interval holds for these networks on other images.

    Args:
        first, second: int64 [seeds, images, classes, classes], of the same seeds and images.
        bootstrap: as for `mean_iou_interval`.

    Raises:
        EvaluationError: the shapes differ, or there is nothing to draw from.
    """
    if first.shape != second.shape:
        raise EvaluationError(
            f"got confusions {list(first.shape)} and {list(second.shape)}; both must be [seeds, "
            "images, classes, classes] of the same seeds and images"
        )
    _check(first, bootstrap)
    images = first.shape[1]
    drawn = _draw(images, bootstrap)
    differences = [
        _resampled_iou(one, drawn) - _resampled_iou(other, drawn)
        for one, other in zip(first, second, strict=True)
    ]
    return _percentiles(np.mean(differences, axis=0), bootstrap, images)


def _draw(images: int, bootstrap: Bootstrap) -> Counts:
    """How often each image is drawn in each resample: int64 [samples, images]."""
    shares = np.full(images, 1 / images)
    generator = np.random.default_rng(bootstrap.seed)
    return generator.multinomial(images, shares, size=bootstrap.samples)


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
    values: npt.NDArray[np.float64], bootstrap: Bootstrap, images: int
) -> Interval | None:
    if images < 2:
        return None
    low, high = np.quantile(
        values, [0.5 - bootstrap.confidence / 2, 0.5 + bootstrap.confidence / 2]
    )
    return float(low), float(high)


def _check(confusions: Counts, bootstrap: Bootstrap) -> None:
    check_confidence(bootstrap.confidence)
    if confusions.ndim != 4 or confusions.size == 0:
        raise EvaluationError(
            f"got confusions {list(confusions.shape)}; [images, classes, classes] of at least "
            "one image were expected"
        )
