"""Count what a model answers on masks, a few patches at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records.evaluate import ModelScores, SplitSize
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.scores import softmax
from kdtasks.evaluate import intervals
from kdtasks.evaluate.intervals import Interval, Method, PairedComparison
from kdtasks.evaluate.jackknife import FEWEST_IMAGES, jackknife_interval, pseudo_values
from kdtasks.evaluate.metrics import THRESHOLDS, Counts, count_probabilities, mask_scores
from kdtasks.evaluate.score import Score
from kdtasks.evaluate.settings import EvaluateParams
from kdtasks.evaluate.views import Network
from kdtasks.tasks.confusion import confusion_matrix, counted
from kdtasks.tasks.segmentation import Segmentation

# Logits, float32, that are held in memory at a time.
_CHUNK_BYTES = 64_000_000


@dataclass(frozen=True)
class PixelCounts(Score):
    """Labelled pixels of the test split, and what a model answers there.

    Attributes:
        confusions: int64 [images, classes, classes], by source image, label and answer.
        probabilities: int64 [classes, 2, thresholds], as of `count_probabilities`.
        predicted: uint8 [patches, height, width], the answers.
        class_names: of each class.
    """

    confusions: Counts
    probabilities: Counts
    predicted: npt.NDArray[np.uint8]
    class_names: tuple[str, ...]
    settings: EvaluateParams
    is_teacher_labelled: bool = False
    task = Segmentation()

    @property
    def paired_values(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.integer]]:
        """The mean IoU of all source images and of all but each [1 + images]; all pixels [1]."""
        return _left_out_iou(self.confusions), np.array([self.confusions.sum()])

    @property
    def rows(self) -> int:
        """How many source images there are."""
        return len(self.confusions)

    @property
    def value(self) -> float:
        """The mean IoU over all pixels."""
        return self.task.scores(self.confusions.sum(axis=0))[self.metric.key]

    @property
    def size(self) -> SplitSize:
        """Patches, source images and labelled pixels."""
        pixels = int(self.confusions.sum())
        return SplitSize(rows=len(self.predicted), images=self.rows, pixels=pixels)

    def scores(self) -> ModelScores:
        """Give `mask_scores`."""
        return mask_scores(self.confusions.sum(axis=0), self.probabilities, self.class_names)

    def interval(self, confidence: float) -> Interval | None:
        """Give `mean_iou_interval`."""
        return mean_iou_interval(self.confusions, confidence)

    @classmethod
    def gain_interval(cls, first: Sequence[Self], second: Sequence[Self]) -> Interval | None:
        """Give `iou_gain_interval` at the level of the settings."""
        return iou_gain_interval(
            np.stack([score.confusions for score in first]),
            np.stack([score.confusions for score in second]),
            first[0].settings.confidence,
        )

    def paired(self, production: Self, *, method: Method, confidence: float) -> PairedComparison:
        """Compare by the jackknife over source images, whatever the method asked for.

        Where no image tells the two apart the jackknife shows no spread: the bounds are then those
        of the fraction of images that may do so, each at its worst.
        """
        # The ends of an interval of level 2c − 1 are one-sided bounds of level c.
        bounds = iou_gain_interval(
            self.confusions[None], production.confusions[None], 2 * confidence - 1
        ) or (-1.0, 1.0)
        if np.array_equal(self.confusions, production.confusions):
            upper = -intervals.score_lower_bound(0, 0, self.rows, confidence)
            bounds = -upper, upper
        return PairedComparison(self.rows, self.value - production.value, *bounds)


def count_pixels(
    network: Network, dataset: PreparedDataset, settings: EvaluateParams, split: str = "test"
) -> PixelCounts:
    """Have a network answer every patch of a split, and count."""
    images, labels = dataset.images(split), np.asarray(dataset.labels(split))
    source, classes = np.asarray(dataset.groups(split)), dataset.num_classes
    confusions = np.zeros((int(source.max()) + 1, classes, classes), np.int64)
    probabilities = np.zeros((classes, 2, THRESHOLDS), np.int64)
    predicted = np.empty(labels.shape, np.uint8)
    chunk = max(1, _CHUNK_BYTES // (4 * classes * int(np.prod(labels.shape[1:]))))
    for start in range(0, len(images), chunk):
        rows = slice(start, start + chunk)
        logits, truth = network(images[rows]), labels[rows]
        predicted[rows] = logits.argmax(axis=-1)
        for row, mask in enumerate(truth, start):
            confusions[source[row]] += confusion_matrix(
                predicted[row], mask, classes, dataset.ignore_label
            )
        counts = counted(truth, dataset.ignore_label)
        probabilities += count_probabilities(softmax(logits[counts]), truth[counts])
    names, is_teacher_labelled = dataset.class_names, split in dataset.teacher_labelled
    return PixelCounts(confusions, probabilities, predicted, names, settings, is_teacher_labelled)


def mean_iou_interval(confusions: Counts, confidence: float) -> Interval | None:
    """Give `jackknife_interval` of the mean IoU, from int64 [images, classes, classes]."""
    return jackknife_interval(_left_out_iou(confusions), int(confusions.sum()), confidence)


def iou_gain_interval(first: Counts, second: Counts, confidence: float) -> Interval | None:
    """Give the jackknife's t interval of the mean over seeds of mean IoU of `first` − `second`.

    An image is left out with the answers of all seeds of both, so pairs stay together. The seeds
    are taken as given: the interval holds for these networks on other images.

    Args:
        first, second: int64 [seeds, images, classes, classes], of the same seeds and images.
        confidence: as for `jackknife_interval`, and so are None and the source.

    Raises:
        EvaluationError: the shapes differ.
    """
    if first.shape != second.shape:
        raise EvaluationError(
            f"got confusions {list(first.shape)} and {list(second.shape)}; both must be [seeds, "
            "images, classes, classes] of the same seeds and images"
        )
    if first.shape[1] < FEWEST_IMAGES:
        return None
    differences = [
        _left_out_iou(one) - _left_out_iou(other) for one, other in zip(first, second, strict=True)
    ]
    return intervals.seeds_interval(pseudo_values(np.mean(differences, axis=0)), confidence)


def _left_out_iou(confusions: Counts) -> npt.NDArray[np.float64]:
    """Mean IoU of all images, and of all but each: [1 + images], over the classes that occur."""
    total = confusions.sum(axis=0)
    totals = np.concatenate([total[None], total - confusions])
    right = np.diagonal(totals, axis1=1, axis2=2)
    either = totals.sum(axis=1) + totals.sum(axis=2) - right
    occurs = either > 0
    fractions = np.divide(right, either, out=np.zeros(right.shape), where=occurs)
    means: npt.NDArray[np.float64] = fractions.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
    return means
