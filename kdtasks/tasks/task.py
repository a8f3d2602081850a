"""What a task is to data and metrics: the shape of its labels, their counts, its metrics.

A task has a facet of the same name in each of three packages, for the three are imported by others:
this one (NumPy alone), `kdtasks.edge` (what a device runs) and `kdtasks.evaluate` (intervals,
which may change without anything being trained again).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from kdtasks.tasks.label_counts import LabelCounts

# Keys of all that models may be compared by; which, the task says.
MetricKey = Literal["accuracy", "balanced_accuracy", "macro_f1", "mean_iou"]

# What is measured where a teacher's answers stand in the place of labels.
AGREEMENT = "agreement with the teacher"


class Metric(NamedTuple):
    """A number of 0 … 1, higher is better.

    Attributes:
        key: its name in files.
        name: its name in sentences.
        more, less: how a model is that has more or less of it.
        is_agreement: whether a teacher's answers stand in the place of labels.
    """

    key: MetricKey
    name: str
    more: str
    less: str
    is_agreement: bool = False

    def by(self, *, teacher: bool) -> "Metric":
        """Name it as what it is where a `teacher`'s answers stand in the place of labels."""
        if not teacher:
            return self
        name = self.name.replace("accuracy", AGREEMENT)
        if name == self.name:
            name += " by the teacher's answers"
        return Metric(self.key, name, "closer to the teacher", "farther from the teacher", True)

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
        metrics: what models may be compared by, the first unless `evaluate.metric` says otherwise.
        unanswered: in the place of a label, or of a pixel's, that a teacher is yet to give.
    """

    name: str
    per_pixel: bool
    early_exits: bool
    metrics: tuple[Metric, ...]
    unanswered: int

    def label_shape(self, image_shape: Sequence[int]) -> tuple[int, ...]:
        """Give the shape of one image's label, of an image [height, width, channels]."""

    def label_counts(self, labels: np.ndarray, num_classes: int) -> LabelCounts:
        """Count what has each label, in every row.

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
        """Give what follows from counts, every one of `metrics` by its key.

        Args:
            confusion: int64 [classes, classes], labels down, as of `confusion_matrix`.
        """
