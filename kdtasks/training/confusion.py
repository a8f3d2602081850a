"""Counts of which class was taken for which, and the figures that follow from them."""

from typing import Any

import numpy as np

from kdtasks.training.accuracy import counted

# Pixels counted at once, as numbers of 8 bytes.
_PART = 2**22


def confusion_matrix(
    predicted: Any, labels: Any, num_classes: int, ignore_label: int | None = None
) -> np.ndarray:
    """Count pictures or pixels by label and answer: int64 [classes, classes], labels down.

    Arguments:
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
    """Return the share of right answers, rounded to six digits."""
    return round(float(np.trace(confusion) / confusion.sum()), 6)


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Return the intersection over union of every class, float64 [classes].

    Pixels that have the label and get it, over those that have it or get it; NaN of a class that
    neither a label nor an answer names.
    """
    right = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    with np.errstate(invalid="ignore"):
        shares: np.ndarray = right / either
    return shares


def mean_iou(confusion: np.ndarray) -> float:
    """Return the mean of `class_iou` over the classes that occur, rounded to six digits."""
    return round(float(np.nanmean(class_iou(confusion))), 6)
