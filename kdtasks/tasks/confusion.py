"""Counts of which class was taken for which, and the metrics that follow from them."""

from typing import Any

import numpy as np

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records.training import ExitScores

# Pixels counted at once, as numbers of 8 bytes.
_PART = 2**22


def confusion_matrix(
    predicted: Any, labels: Any, num_classes: int, ignore_label: int | None = None
) -> np.ndarray:
    """Count images or pixels by label and answer: int64 [classes, classes], labels down.

    Args:
        predicted: integers of any shape, 0…num_classes − 1.
        labels: integers of the same shape; `ignore_label` counts nowhere.
    """
    labels, predicted = np.ravel(labels), np.ravel(predicted)
    total = np.zeros(num_classes**2, np.int64)
    for start in range(0, len(labels), _PART):
        part = slice(start, start + _PART)
        counts = counted(labels[part], ignore_label)
        pairs = labels[part][counts].astype(np.int64) * num_classes
        pairs += predicted[part][counts]
        total += np.bincount(pairs, minlength=num_classes**2)
    return total.reshape(num_classes, num_classes)


def accuracy_of(confusion: np.ndarray) -> float:
    """Return the fraction of right answers, rounded to six digits."""
    return round(float(np.trace(confusion) / confusion.sum()), 6)


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Return the intersection over union of every class, float64 [classes].

    Pixels that have the label and get it, over those that have it or get it; NaN of a class that
    neither a label nor an answer names.
    """
    right = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    with np.errstate(invalid="ignore"):
        iou: np.ndarray = right / either
    return iou


def mean_iou(confusion: np.ndarray) -> float:
    """Return the mean of `class_iou` over the classes that occur, rounded to six digits."""
    return round(float(np.nanmean(class_iou(confusion))), 6)


def counted(labels: Any, ignore_label: int | None) -> np.ndarray:
    """Tell which labels count: all but `ignore_label`; bool, shaped as `labels`."""
    return np.asarray(labels) != (-1 if ignore_label is None else ignore_label)


def accuracy(predicted: Any, labels: Any, ignore_label: int | None = None) -> float:
    """Return the fraction of counted labels that are predicted right.

    Args:
        predicted: integers [N] or [N, height, width], N at least 1.
        labels: integers of the same shape.

    Raises:
        EvaluationError: the shapes differ, or there are no rows.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if labels.shape != predicted.shape or not labels.size:
        raise EvaluationError(
            f"got labels {labels.shape} and predicted {predicted.shape}; both must be of the same "
            "rows, not empty"
        )
    return float((predicted == labels)[counted(labels, ignore_label)].mean())


class ExitConfusions:
    """Counts the answers of every exit; masks need not be in memory all at once."""

    def __init__(self, num_classes: int, *, ignore_label: int | None = None) -> None:
        """Args: `ignore_label` is the label that counts nowhere."""
        self._classes = num_classes, ignore_label
        self._confusions: Any = 0
        self._are_masks = False

    def add(self, predicted: Any, labels: Any) -> None:
        """Count answers.

        Args:
            predicted: K arrays of integers, one an exit, each shaped as `labels`.
            labels: integers [N] or [N, height, width].
        """
        self._are_masks = np.ndim(labels) > 1
        found = [confusion_matrix(answers, labels, *self._classes) for answers in predicted]
        self._confusions = self._confusions + np.stack(found)

    def scores(self) -> ExitScores:
        """Give the scores of every exit."""
        means = tuple(map(mean_iou, self._confusions)) if self._are_masks else None
        return ExitScores(accuracy=tuple(map(accuracy_of, self._confusions)), mean_iou=means)
