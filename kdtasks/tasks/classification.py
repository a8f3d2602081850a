"""One class an image."""

from collections.abc import Sequence

import numpy as np

from kdtasks.tasks.confusion import accuracy_of, by_class_scores
from kdtasks.tasks.label_counts import LabelCounts
from kdtasks.tasks.task import Metric


class Classification:
    """One class an image; a network may answer easy images early."""

    name = "classification"
    per_pixel = False
    early_exits = True
    unanswered = -1
    metrics: tuple[Metric, ...] = (
        Metric("accuracy", "accuracy", "more accurate", "less accurate"),
        Metric(
            "balanced_accuracy",
            "balanced accuracy",
            "better by balanced accuracy",
            "worse by balanced accuracy",
        ),
        Metric("macro_f1", "macro-F1", "better by macro-F1", "worse by macro-F1"),
    )

    def label_shape(self, image_shape: Sequence[int]) -> tuple[int, ...]:
        """Give the shape of a number."""
        return ()

    def label_counts(self, labels: np.ndarray, num_classes: int) -> LabelCounts:
        """Count 1 for the class of each image [N], 0 for the others."""
        numbers = np.asarray(labels)
        is_class = (numbers >= 0) & (numbers < num_classes)
        kind_of = np.where(is_class, numbers, num_classes).astype(np.int32)
        return LabelCounts(np.eye(num_classes + 1, num_classes, dtype=np.int64), kind_of)

    def relabel(self, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Number classes anew."""
        return np.asarray(new)[labels].astype(labels.dtype)

    def label_name(self, label: np.ndarray, class_names: Sequence[str]) -> str:
        """Name the class."""
        return class_names[int(label)]

    def scores(self, confusion: np.ndarray) -> dict[str, float]:
        """Give the accuracy over images, and the metrics in which every class counts alike."""
        return {"accuracy": accuracy_of(confusion), **by_class_scores(confusion)}
