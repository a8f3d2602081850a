"""What a task is to data and metrics: the shape of its labels, their counts, its metric.

A task has a facet of the same name in each of three packages, for the three are imported by others:
this one (NumPy alone), `kdtasks.edge` (what a device runs) and `kdtasks.evaluate` (intervals,
which may change without anything being trained again).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


# What is measured where a teacher's answers stand in the place of labels.
AGREEMENT = "agreement with the teacher"


class Metric(NamedTuple):
    """A number of 0 … 1, higher is better.

    Attributes:
        key: its name in files.
        name: its name in sentences.
        more, less: how a model is that has more or less of it.
    """

    key: str
    name: str
    more: str
    less: str

    def by(self, teacher: bool) -> "Metric":
        """Name it as what it is where a `teacher`'s answers stand in the place of labels."""
        if not teacher:
            return self
        return Metric(self.key, AGREEMENT, "closer to the teacher", "farther from the teacher")

    @property
    def title(self) -> str:
        """The name at the head of a sentence."""
        return self.name[0].upper() + self.name[1:]


class Task(Protocol):
    """What labels are, and what answers are compared by.

    Attributes:
        name: in params, files and bundles.
        per_pixel: whether every pixel has a label, and so every pixel an answer.
        early_exits: whether networks may answer before their last exit.
        metric: what models are compared by.
    """

    name: str
    per_pixel: bool
    early_exits: bool
    metric: Metric

    def label_shape(self, image_shape: Sequence[int]) -> tuple[int, ...]:
        """Give the shape of one image's label, of an image [height, width, channels]."""

    def label_counts(self, labels: np.ndarray, num_classes: int) -> np.ndarray:
        """Count what has each label, in every row: int64 [N, classes].

        Args:
            labels: integers [N, *label_shape]; those from `num_classes` on count nowhere.
        """

    def relabel(self, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Number classes anew, in an array of the same shape and dtype.

        Args:
            labels: integers [N, *label_shape]; those that are no class stay as they are.
            new: integers [classes], the new label of each.
        """

    def label_name(self, label: np.ndarray, class_names: Sequence[str]) -> str:
        """Name the class of one image's label; of several, the one that has the most of it."""

    def scores(self, confusion: np.ndarray) -> dict[str, float]:
        """Give the metrics that follow from counts, `metric.key` among them.

        Args:
            confusion: int64 [classes, classes], labels down, as of `confusion_matrix`.
        """
