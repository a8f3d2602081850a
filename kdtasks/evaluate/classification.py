"""Evaluate what a classifier's bundle answers on the test split: the whole, and each exit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import (
    Calibration,
    Evaluation,
    FullScores,
    ModelScores,
    SplitSize,
)
from kdtasks.edge.classifier import BatchPredictions, Classifier, predict_batch
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.scores import SCORES, max_probability, softmax
from kdtasks.edge.segments import Segments
from kdtasks.edge.telemetry import Histograms, histograms_of
from kdtasks.evaluate import intervals, metrics
from kdtasks.evaluate.clusters import Groups, members_of
from kdtasks.evaluate.evaluator import Evaluated, EvaluateParams, Evaluator, Network, Score
from kdtasks.evaluate.examples import pick_examples
from kdtasks.evaluate.exits.calibrate import calibrate
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.exits.thresholds import OperatingPoint
from kdtasks.evaluate.intervals import Interval, Method, PairedComparison
from kdtasks.evaluate.metrics import ReliabilityBin
from kdtasks.tasks.classification import Classification


@dataclass(frozen=True)
class ClassScore(Score):
    """Which images of the test split a classifier gets right.

    Attributes:
        correct: bool [N].
        groups: integers [N], the group of each image; None: each is on its own.
    """

    correct: NDArray[np.bool_]
    settings: EvaluateParams
    groups: Groups | None = None
    answered: bool = False
    task = Classification()

    @property
    def rows(self) -> int:
        """How many images there are; those of one group are one."""
        return int(members_of(self.groups, len(self.correct)).max()) + 1

    @property
    def value(self) -> float:
        """The accuracy, over all images."""
        return int(np.count_nonzero(self.correct)) / len(self.correct)

    @property
    def size(self) -> SplitSize:
        """How many images there are, and how many groups of them if fewer."""
        rows, groups = len(self.correct), self.rows
        return SplitSize(rows=rows, groups=groups if groups < rows else None)

    def scores(self) -> ModelScores:
        """Give the accuracy."""
        return ModelScores(accuracy=self.value, interval=None)

    def interval(self, confidence: float) -> Interval:
        """Give Wilson's interval of the accuracy."""
        return intervals.accuracy_interval(self.correct, self.groups, confidence)

    @classmethod
    def gain_interval(cls, first: Sequence[Self], second: Sequence[Self]) -> Interval:
        """Bootstrap the gain over images."""
        settings = first[0].settings
        return intervals.bootstrap_interval(
            np.stack([score.correct for score in first]),
            np.stack([score.correct for score in second]),
            settings.confidence,
            settings.bootstrap_samples,
            settings.seed,
            first[0].groups,
        )

    def paired(self, production: Self, *, method: Method, confidence: float) -> PairedComparison:
        """Compare image by image."""
        return intervals.compare_paired(
            self.correct,
            production.correct,
            method=method,
            confidence=confidence,
            samples=self.settings.bootstrap_samples,
            seed=self.settings.seed,
            groups=self.groups,
        )


def evaluate_answers(
    labels: NDArray[np.integer],
    answers: BatchPredictions,
    *,
    macs: Sequence[int],
    temperatures: Sequence[float],
    settings: EvaluateParams,
    groups: Groups | None = None,
) -> tuple[Evaluation, list[list[ReliabilityBin]]]:
    """Compute the scores of a bundle with early exits.

    Args:
        labels: integer [N].
        answers: of the same N images and K exits.
        macs: [K], multiply-accumulates up to and including each exit.
        temperatures: [K].
        settings: level of the intervals.
        groups: integers [N], the group of each image; None: each is on its own.

    Returns:
        the scores, and of each exit what `metrics.reliability` gives.
    """
    costs = np.array(macs)[answers.exit_index]
    cost = float(costs.mean() / macs[-1])
    probabilities = softmax(answers.logits, np.asarray(temperatures))
    score = ClassScore(answers.predicted == labels, settings, groups)
    full = ClassScore(answers.by_exit[:, -1] == labels, settings, groups)
    scores = Evaluation(
        **score.size.present(),
        **score.with_interval().present(),
        full=FullScores(**full.with_interval().present()),
        cost=cost,
        saved=1.0 - cost,
        mean_macs=float(costs.mean()),
        exits=metrics.exit_breakdown(labels, answers.by_exit, answers.exit_index),
        changed=metrics.count_changed(
            labels, answers.by_exit, answers.exit_index, settings.confidence, groups
        ),
        calibration_error=tuple(
            metrics.expected_calibration_error(probabilities[:, k], labels)
            for k in range(len(macs))
        ),
    )
    return scores, [metrics.reliability(probabilities[:, k], labels) for k in range(len(macs))]


class ClassificationEvaluator(Evaluator[ClassScore]):
    """Images that have one class each."""

    task = Classification()

    def calibrate(
        self, model: Path, compressed: Compressed, settings: ExitsParams, *, seen_rows: int
    ) -> tuple[Calibration, list[OperatingPoint]]:
        """Choose temperatures and thresholds, and score them on the validation split."""
        segments = Segments(model)
        calibration, validation = (
            (segments.logits_of(self.dataset.images(split)), self.dataset.labels(split))
            for split in ("calibration", "validation")
        )
        found, points = calibrate(
            calibration,
            validation,
            settings,
            macs=compressed.macs,
            seen_rows=seen_rows,
            groups=np.asarray(self.dataset.groups("calibration")),
        )
        judged = {"labels_from": self.dataset.labels_from("calibration")}
        return found.model_copy(update=judged), points

    def evaluate(self, bundle: Path) -> Evaluated:
        """Evaluate a bundle as a whole and exit by exit."""
        model, images, labels = Classifier.load(bundle), self.images, self.labels
        answers, manifest = predict_batch(model, images), model.manifest
        scores, bins = evaluate_answers(
            labels,
            answers,
            macs=manifest.macs,
            temperatures=manifest.temperatures,
            settings=self.settings,
            groups=self.groups,
        )
        confidences = SCORES[manifest.score](answers.logits, np.asarray(manifest.temperatures))
        rows, group = pick_examples(answers.by_exit, answers.exit_index, confidences)
        return Evaluated(
            scores.model_copy(update={"labels_from": self.dataset.labels_from(self.split)}),
            f"{self.metric.name} {scores.accuracy:.4f} at cost {scores.cost:.3f}",
            predictions={
                "labels": labels,
                "logits": answers.logits,
                "predicted": answers.predicted,
                "exit_index": answers.exit_index,
            },
            examples={
                "images": images[rows],
                "group": group,
                "rows": rows,
                "labels": labels[rows],
                "by_exit": answers.by_exit[rows],
                "exit_index": answers.exit_index[rows],
            },
            reliability=[(k, *found) for k, exit_bins in enumerate(bins) for found in exit_bins],
        )

    def answer(self, network: Network) -> ClassScore:
        """Have a network answer, to its last exit."""
        predicted = network(self.images).argmax(axis=-1)
        return self._score(predicted)

    def score(self, predictor: Predictor) -> ClassScore:
        """Have a classifier answer, with early exits."""
        return self._score(self._answers(predictor).predicted)

    def _score(self, predicted: NDArray[np.integer]) -> ClassScore:
        return ClassScore(predicted == self.labels, self.settings, self.groups, self.answered)

    def reference(self, predictor: Predictor) -> Histograms:
        """Count exits and confidences of the answers to one test image of each group."""
        answers = self._answers(predictor)
        scores = max_probability(answers.logits, predictor.manifest.temperatures)
        rows = np.unique(self.groups, return_index=True)[1]
        return histograms_of(
            answers.exit_index[rows],
            scores[rows, answers.exit_index[rows]],
            exits=predictor.segments.count,
        )

    def _answers(self, predictor: Predictor) -> BatchPredictions:
        assert isinstance(predictor, Classifier)
        return predict_batch(predictor, self.images)
