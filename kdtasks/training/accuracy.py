"""Accuracy over the labels that count."""

from typing import Any

import numpy as np


def counted(labels: Any, ignore_label: int | None) -> np.ndarray:
    """Tell which labels count: all but `ignore_label`; bool, shaped as `labels`."""
    return np.asarray(labels) != (-1 if ignore_label is None else ignore_label)


def accuracy(predicted: Any, labels: Any, ignore_label: int | None = None) -> float:
    """Return the share of counted labels that are predicted right, rounded to six digits.

    Arguments:
        predicted: integers [N] or [N, height, width].
        labels: integers of the same shape.
    """
    hits = np.asarray(predicted) == np.asarray(labels)
    return round(float(hits[counted(labels, ignore_label)].mean()), 6)
