"""How right a classifier is on the test split, by the metric that models are compared by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records.evaluate import ClassAnswers, ModelScores, SplitSize
from kdtasks.core.text import quantity
from kdtasks.evaluate import intervals
from kdtasks.evaluate.clusters import Groups, members_of
from kdtasks.evaluate.intervals import Interval, Method, PairedComparison
from kdtasks.evaluate.score import Score
from kdtasks.evaluate.settings import EvaluateParams
from kdtasks.evaluate.stratified import ComparedPredictions, stratified_interval
from kdtasks.tasks.classification import Classification
from kdtasks.tasks.confusion import by_class_scores, confusion_matrix


@dataclass(frozen=True)
class ClassScore(Score):
    """What a classifier answers on the test split.

    Attributes:
        labels, predicted: integers [N].
        class_names: of each class.
        groups: integers [N], the group of each image; None: each is on its own.
    """

    labels: NDArray[np.integer]
    predicted: NDArray[np.integer]
    class_names: tuple[str, ...]
    settings: EvaluateParams
    groups: Groups | None = None
    is_teacher_labelled: bool = False
    task = Classification()

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which images it gets right: bool [N]."""
        right: NDArray[np.bool_] = self.labels == self.predicted
        return right

    @property
    def paired_values(self) -> tuple[NDArray[np.bool_], NDArray[np.integer]]:
        """Which images it gets right [N], and their groups [N]."""
        return self.correct, members_of(self.groups, len(self.labels))

    @property
    def rows(self) -> int:
        """How many images there are; those of one group are one."""
        return int(members_of(self.groups, len(self.labels)).max()) + 1

    @property
    def value(self) -> float:
        """The metric that models are compared by, over all images."""
        if self.metric.key != "accuracy":
            return float(getattr(self.scores(), self.metric.key))
        return int(np.count_nonzero(self.correct)) / len(self.correct)

    @property
    def size(self) -> SplitSize:
        """How many images there are, and how many groups of them if fewer."""
        rows, groups = len(self.labels), self.rows
        return SplitSize(rows=rows, groups=groups if groups < rows else None)

    def scores(self) -> ModelScores:
        """Give every metric of classes."""
        return ModelScores(**self._quality, interval=None)

    def confusion(self) -> NDArray[np.int64]:
        """Count images by label (first axis) and answer (second): int64 [classes, classes]."""
        return confusion_matrix(self.predicted, self.labels, len(self.class_names))

    @property
    def _quality(self) -> dict[str, Any]:
        found = self.confusion()
        exact = int(np.count_nonzero(self.correct)) / len(self.correct)
        return {**by_class_scores(found), "accuracy": exact}

    def interval(self, confidence: float) -> Interval:
        """Give the interval of the metric: Wilson's of the accuracy, else a bootstrap's."""
        return self.interval_of(self.metric.key, confidence)

    def interval_of(self, metric: str, confidence: float) -> Interval:
        """Give the interval of any metric of classes, by its key."""
        if metric == "accuracy":
            return intervals.accuracy_interval(self.correct, self.groups, confidence)
        return self._bootstrap([[self]], metric, confidence)

    def by_class(self) -> dict[str, ClassAnswers]:
        """Say how the images of each class are answered, at the level of the settings."""
        matrix = confusion_matrix(self.predicted, self.labels, len(self.class_names))
        labelled, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
        return {
            name: ClassAnswers(
                recall=int(matrix[k, k]) / int(labelled[k]),
                interval=intervals.accuracy_interval(
                    self.correct[of_class],
                    None if self.groups is None else self.groups[of_class],
                    self.settings.confidence,
                ),
                precision=int(matrix[k, k]) / int(predicted[k]) if predicted[k] else None,
                f1=2 * int(matrix[k, k]) / int(labelled[k] + predicted[k]),
                images=int(labelled[k]),
            )
            for k, name in enumerate(self.class_names)
            if (of_class := self.labels == k).any()
        }

    @property
    def sparse(self) -> str:
        """Name the class with the fewest images, where every class counts alike."""
        if self.metric.key == "accuracy":
            return ""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        rarest = int(np.where(counts > 0, counts, counts.sum()).argmin())
        images = quantity(int(counts[rarest]), "test image")
        return f"the class {self.class_names[rarest]} has {images}, which the bound rests on"

    def _bootstrap(
        self, sides: Sequence[Sequence["ClassScore"]], metric: str, confidence: float
    ) -> Interval:
        """Give `stratified_interval` of one side, or of the first less the second."""
        answers = tuple(np.stack([score.predicted for score in side]) for side in sides)
        return stratified_interval(
            ComparedPredictions(
                np.asarray(self.labels), answers, len(self.class_names), self.groups
            ),
            metric,
            confidence=confidence,
            samples=self.settings.bootstrap_samples,
            seed=self.settings.seed,
        )

    @classmethod
    def gain_interval(cls, first: Sequence[Self], second: Sequence[Self]) -> Interval:
        """Bootstrap the gain over images."""
        one = first[0]
        settings = one.settings
        if one.metric.key != "accuracy":
            return one._bootstrap([first, second], one.metric.key, settings.confidence)
        return intervals.bootstrap_interval(
            np.stack([score.correct for score in first]),
            np.stack([score.correct for score in second]),
            settings.confidence,
            settings.bootstrap_samples,
            settings.seed,
            first[0].groups,
        )

    def paired(self, production: Self, *, method: Method, confidence: float) -> PairedComparison:
        """Compare image by image; of another metric than the accuracy by a bootstrap."""
        comparison = intervals.compare_paired(
            self.correct,
            production.correct,
            method=method,
            confidence=confidence,
            samples=self.settings.bootstrap_samples,
            seed=self.settings.seed,
            groups=self.groups,
        )
        key = self.metric.key
        if key == "accuracy":
            return comparison
        # The ends of an interval of level 2c − 1 are one-sided bounds of level c.
        lower, upper = self._bootstrap([[self], [production]], key, 2 * confidence - 1)
        difference = self.value - production.value
        return comparison._replace(difference=difference, lower=lower, upper=upper, p_value=None)
