"""How good the exits of a network are on labelled pictures, counted part by part."""

from typing import Any

import numpy as np

from kdtasks.training.confusion import accuracy_of, confusion_matrix, mean_iou


class Tally:
    """Counts the answers of every exit; masks need not be in memory all at once."""

    def __init__(self, num_classes: int, *, ignore_label: int | None = None) -> None:
        """Arguments: `ignore_label` is the label that counts nowhere."""
        self._num_classes = num_classes
        self._ignore_label = ignore_label
        self._confusions: list[np.ndarray] = []
        self._are_masks = False

    def add(self, predicted: Any, labels: Any) -> None:
        """Count answers.

        Arguments:
            predicted: K arrays of integers, one an exit, each shaped as `labels`.
            labels: integers [N] or [N, height, width].
        """
        self._are_masks = np.ndim(labels) > 1
        found = [
            confusion_matrix(answers, labels, self._num_classes, self._ignore_label)
            for answers in predicted
        ]
        before = self._confusions or [np.zeros_like(confusion) for confusion in found]
        self._confusions = [old + new for old, new in zip(before, found, strict=True)]

    def figures(self) -> dict[str, list[float]]:
        """Give `accuracy` of every exit, length K, and for masks `mean_iou`."""
        figures = {"accuracy": [accuracy_of(confusion) for confusion in self._confusions]}
        if self._are_masks:
            figures["mean_iou"] = [mean_iou(confusion) for confusion in self._confusions]
        return figures
