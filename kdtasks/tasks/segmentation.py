"""One class a pixel."""

from collections.abc import Sequence

import numpy as np

from kdtasks.tasks.confusion import accuracy_of, mean_iou
from kdtasks.tasks.label_counts import LabelCounts
from kdtasks.tasks.task import Metric

# Masks are uint8: labels beyond the classes mark pixels that are not labelled.
_LABELS = 256


class Segmentation:
    """One class a pixel, answered by the whole network; masks are uint8 [height, width]."""

    name = "segmentation"
    per_pixel = True
    early_exits = False
    unanswered = 254
    metrics: tuple[Metric, ...] = (
        Metric("mean_iou", "mean IoU", "better by mean IoU", "worse by mean IoU"),
    )

    def label_shape(self, image_shape: Sequence[int]) -> tuple[int, ...]:
        """Give height and width."""
        return tuple(image_shape[:2])

    def label_counts(self, labels: np.ndarray, num_classes: int) -> LabelCounts:
        """Count the pixels of each class in every mask [N, height, width]."""
        counts = [np.bincount(mask.reshape(-1), minlength=_LABELS)[:num_classes] for mask in labels]
        kinds = np.array(counts, np.int64).reshape(len(labels), num_classes)
        return LabelCounts(kinds, np.arange(len(labels)))

    def relabel(self, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Number classes anew; pixels that are not labelled stay so."""
        table = np.arange(_LABELS)
        table[: len(new)] = new
        return table[labels].astype(labels.dtype)

    def label_name(self, label: np.ndarray, class_names: Sequence[str]) -> str:
        """Name the class with the most pixels."""
        counts = self.label_counts(label[None], len(class_names))
        return class_names[int(counts.kinds[0].argmax())]

    def scores(self, confusion: np.ndarray) -> dict[str, float]:
        """Give the accuracy over pixels and the mean IoU."""
        return {"accuracy": accuracy_of(confusion), "mean_iou": mean_iou(confusion)}
