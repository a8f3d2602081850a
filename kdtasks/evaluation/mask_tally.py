"""Count what a model answers on masks, a few patches at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtasks.edge.scores import softmax
from kdtasks.evaluation.precision_recall import (
    THRESHOLDS,
    at_half,
    average_precision,
    count_probabilities,
    precision_recall,
)
from kdtasks.evaluation.segmentation import mask_figures
from kdtasks.training.accuracy import counted
from kdtasks.training.confusion import confusion_matrix

# From uint8 [N, height, width, channels] to float logits [N, height, width, classes].
Answer = Callable[[Any], npt.NDArray[Any]]

# Logits, float32, that are held in memory at a time.
_CHUNK_BYTES = 64_000_000


@dataclass(frozen=True)
class MaskTally:
    """Counts of labelled pixels.

    Attributes:
        confusions: int64 [pictures, classes, classes], by source picture, label and answer.
        probabilities: int64 [classes, 2, thresholds], as of `count_probabilities`.
        predicted: uint8 [N, height, width], the answers.
    """

    confusions: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.uint8]

    def figures(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Give `mask_figures`, `at_half`, and of every class its `average_precision`."""
        found = mask_figures(self.confusions.sum(axis=0), class_names)
        found["at_half"] = at_half(self.probabilities)
        curves = zip(*precision_recall(self.probabilities), strict=True)
        for figures, curve in zip(found["classes"].values(), curves, strict=True):
            figures["average_precision"] = average_precision(*curve)
        return found


def tally(
    answer: Answer,
    images: Any,
    labels: Any,
    pictures: npt.NDArray[np.integer],
    *,
    num_classes: int,
    ignore_label: int | None,
) -> MaskTally:
    """Ask a model about every patch and count.

    Arguments:
        answer: the model.
        images: uint8 [N, height, width, channels].
        labels: integers [N, height, width]; `ignore_label` counts nowhere.
        pictures: integers [N], the source picture of every patch, 0, 1, …
    """
    confusions = np.zeros((int(pictures.max()) + 1, num_classes, num_classes), np.int64)
    probabilities = np.zeros((num_classes, 2, THRESHOLDS), np.int64)
    predicted = np.empty(labels.shape, np.uint8)
    chunk = max(1, _CHUNK_BYTES // (4 * num_classes * int(np.prod(labels.shape[1:]))))
    for start in range(0, len(images), chunk):
        rows = slice(start, start + chunk)
        logits, truth = answer(images[rows]), np.asarray(labels[rows])
        predicted[rows] = logits.argmax(axis=-1)
        for place, row in enumerate(range(start, start + len(truth))):
            confusions[pictures[row]] += confusion_matrix(
                predicted[row], truth[place], num_classes, ignore_label
            )
        counts = counted(truth, ignore_label)
        probabilities += count_probabilities(softmax(logits[counts]), truth[counts])
    return MaskTally(confusions, probabilities, predicted)
