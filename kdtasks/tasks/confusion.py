"""Counts of which class was taken for which, and the metrics that follow from them."""

from collections.abc import Callable
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


def mean_recall(right: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the balanced accuracy, [...]: the mean over classes of the recall.

    Classes without a label are excluded.

    Args:
        right, labelled, predicted: [..., classes], how many of each class are answered right, have
            its label, and are answered with it; they need not be whole numbers.

    Source: Brodersen et al. 2010, ICPR, 3121-3124.
    """
    with np.errstate(invalid="ignore"):
        means: np.ndarray = np.nanmean(right / labelled, axis=-1)
    return means


def mean_f1(right: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the macro-F1, [...]: the mean over classes of F1, with the arguments of `mean_recall`.

    F1 is the harmonic mean of precision and recall, 2 · right / (labelled + answered). Classes
    that neither a label nor an answer names are excluded.

    Source: the mean of F1s of Opitz and Burst 2019, arXiv 1911.03347.
    """
    with np.errstate(invalid="ignore"):
        means: np.ndarray = np.nanmean(2 * right / (labelled + predicted), axis=-1)
    return means


# Metrics in which every class counts alike, by key.
BY_CLASS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "balanced_accuracy": mean_recall,
    "macro_f1": mean_f1,
}


def by_class_scores(confusion: np.ndarray) -> dict[str, float]:
    """Return every metric of `BY_CLASS`, each rounded to six digits."""
    counts = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return {key: round(float(score(*counts)), 6) for key, score in BY_CLASS.items()}


def mean_iou(confusion: np.ndarray) -> float:
    """Return the mean of `class_iou` over the classes that occur, rounded to six digits."""
    return round(float(np.nanmean(class_iou(confusion))), 6)


def uncounted(ignore_label: int | None) -> int:
    """The label that counts for nothing: `ignore_label`, else -1, which no row has."""
    return -1 if ignore_label is None else ignore_label


def counted(labels: Any, ignore_label: int | None) -> np.ndarray:
    """Tell which labels count: all but `ignore_label`; bool, shaped as `labels`."""
    return np.asarray(labels) != uncounted(ignore_label)


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
        accuracies = tuple(map(accuracy_of, self._confusions))
        if self._are_masks:
            return ExitScores(accuracy=accuracies, mean_iou=tuple(map(mean_iou, self._confusions)))
        exits = [by_class_scores(confusion) for confusion in self._confusions]
        by_class: dict[str, Any] = {key: tuple(each[key] for each in exits) for key in BY_CLASS}
        return ExitScores(accuracy=accuracies, **by_class)
