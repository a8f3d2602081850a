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
    ChangedAnswers,
    Evaluation,
    FullScores,
    ModelScores,
    SplitSize,
)
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.classifier import BatchPredictions, Classifier, predict_batch
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.scores import SCORES, max_probability, softmax
from kdtasks.edge.segments import Segments
from kdtasks.edge.telemetry import Histograms, histograms_of
from kdtasks.evaluate.evaluator import (
    Arrays,
    Evaluated,
    EvaluateParams,
    Evaluator,
    Network,
    Score,
)
from kdtasks.evaluate.exits.calibrate import calibrate
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.exits.thresholds import OperatingPoint
from kdtasks.evaluate.intervals import (
    Interval,
    Method,
    PairedComparison,
    bootstrap_interval,
    compare_paired,
    score_interval,
    wilson_interval,
)
from kdtasks.evaluate.metrics import (
    ReliabilityBin,
    exit_breakdown,
    expected_calibration_error,
    reliability,
)
from kdtasks.tasks.classification import Classification


@dataclass(frozen=True)
class ClassScore(Score):
    """Which images of the test split a classifier gets right.

    Attributes:
        correct: bool [N].
    """

    correct: NDArray[np.bool_]
    settings: EvaluateParams
    task = Classification()

    @property
    def rows(self) -> int:
        """How many images there are."""
        return len(self.correct)

    @property
    def value(self) -> float:
        """The accuracy."""
        return int(np.count_nonzero(self.correct)) / self.rows

    @property
    def size(self) -> SplitSize:
        """How many images there are."""
        return SplitSize(rows=self.rows)

    def scores(self) -> ModelScores:
        """Give the accuracy."""
        return ModelScores(accuracy=self.value, interval=None)

    def interval(self, confidence: float) -> Interval:
        """Give Wilson's interval of the accuracy."""
        return wilson_interval(int(np.count_nonzero(self.correct)), self.rows, confidence)

    @classmethod
    def gain_interval(cls, first: Sequence[Self], second: Sequence[Self]) -> Interval:
        """Bootstrap the gain over images."""
        settings = first[0].settings
        return bootstrap_interval(
            np.stack([score.correct for score in first]),
            np.stack([score.correct for score in second]),
            settings.confidence,
            settings.bootstrap_samples,
            settings.seed,
        )

    def paired(self, production: Self, *, method: Method, confidence: float) -> PairedComparison:
        """Compare image by image."""
        return compare_paired(
            self.correct,
            production.correct,
            method=method,
            confidence=confidence,
            samples=self.settings.bootstrap_samples,
            seed=self.settings.seed,
        )


def evaluate_answers(
    labels: NDArray[np.integer],
    answers: BatchPredictions,
    *,
    macs: Sequence[int],
    temperatures: Sequence[float],
    settings: EvaluateParams,
) -> tuple[Evaluation, list[list[ReliabilityBin]]]:
    """Compute the scores of a bundle with early exits.

    Args:
        labels: integer [N].
        answers: of the same N images and K exits.
        macs: [K], multiply-accumulates up to and including each exit.
        temperatures: [K].
        settings: level of the intervals.

    Returns:
        the scores, and each exit's reliability.

    Raises:
        EvaluationError: the exits' scores do not add up to those of the whole.
    """
    costs = np.array(macs)[answers.exit_index]
    cost = float(costs.mean() / macs[-1])
    probabilities = softmax(answers.logits, np.asarray(temperatures))
    score = ClassScore(answers.predicted == labels, settings)
    full = ClassScore(answers.by_exit[:, -1] == labels, settings)
    scores = Evaluation(
        **score.size.present(),
        **score.with_interval().present(),
        full=FullScores(**full.with_interval().present()),
        cost=cost,
        saved=1.0 - cost,
        mean_macs=float(costs.mean()),
        exits=exit_breakdown(labels, answers.by_exit, answers.exit_index),
        changed=count_changed(labels, answers.by_exit, answers.exit_index, settings.confidence),
        calibration_error=tuple(
            expected_calibration_error(probabilities[:, k], labels) for k in range(len(macs))
        ),
    )
    return scores, [reliability(probabilities[:, k], labels) for k in range(len(macs))]


def examples_of(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    answers: BatchPredictions,
    *,
    score: str,
    temperatures: Sequence[float],
) -> Arrays:
    """Give the arrays of `plots/examples/<variant>.npz`: the images that `pick_examples` picks."""
    scores = SCORES[score](answers.logits, np.asarray(temperatures))
    rows, group = pick_examples(answers.by_exit, answers.exit_index, scores)
    return {
        "images": images[rows],
        "group": group,
        "rows": rows,
        "labels": labels[rows],
        "by_exit": answers.by_exit[rows],
        "exit_index": answers.exit_index[rows],
    }


def changed_rows(
    by_exit: NDArray[np.integer], exit_index: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Give the rows whose answer is not the last exit's.

    Args:
        by_exit: integer [N, K], the answer each exit would give.
        exit_index: integer [N], where each row left.
    """
    answered = by_exit[np.arange(len(by_exit)), exit_index]
    return np.flatnonzero(answered != by_exit[:, -1])


def count_changed(
    labels: NDArray[np.integer],
    by_exit: NDArray[np.integer],
    exit_index: NDArray[np.integer],
    confidence: float,
) -> ChangedAnswers:
    """Count the changed answers; `labels` are [N], the rest as for `changed_rows`."""
    rows = changed_rows(by_exit, exit_index)
    early = int((by_exit[rows, exit_index[rows]] == labels[rows]).sum())
    last = int((by_exit[rows, -1] == labels[rows]).sum())
    return ChangedAnswers(
        rows=len(rows),
        early_right=early,
        last_right=last,
        interval=score_interval(early, last, len(labels), confidence),
    )


def pick_examples(
    by_exit: NDArray[np.integer],
    exit_index: NDArray[np.integer],
    scores: NDArray[np.floating],
    *,
    each: int = 12,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pick at most `each` rows that left at each exit, and as many that changed their answer.

    Where there are more, those are taken that lie evenly in the order of confidence, so that a
    strip goes from the most confident image to the least confident one.

    Args:
        by_exit: integer [N, K], the answer each exit would give.
        exit_index: integer [N], where each row left.
        scores: float [N, K], confidence of each exit.

    Returns:
        rows [M] and the group of each [M]: k for those that left at exit k, K for those that
        changed their answer.
    """
    exits = by_exit.shape[1]
    groups = [np.flatnonzero(exit_index == k) for k in range(exits)]
    groups.append(changed_rows(by_exit, exit_index))
    picked = []
    for rows in groups:
        surest_first = rows[np.argsort(-scores[rows, exit_index[rows]], kind="stable")]
        places = np.linspace(0, len(rows) - 1, min(each, len(rows))).round().astype(np.int64)
        picked.append(surest_first[places])
    group_of = np.repeat(np.arange(exits + 1), [len(rows) for rows in picked])
    return np.concatenate(picked), group_of


class ClassificationEvaluator(Evaluator[ClassScore]):
    """Images that have one class each."""

    task = Classification()

    def calibrate(
        self,
        model: Path,
        dataset: PreparedDataset,
        compressed: Compressed,
        settings: ExitsParams,
        *,
        seen_rows: int,
    ) -> tuple[Calibration, list[OperatingPoint]]:
        """Choose temperatures and thresholds, and score them on the validation split."""
        segments = Segments(model)
        calibration, validation = (
            (segments.logits_of(dataset.images(split)), dataset.labels(split))
            for split in ("calibration", "validation")
        )
        return calibrate(
            calibration, validation, settings, macs=compressed.macs, seen_rows=seen_rows
        )

    def evaluate(
        self, bundle: Path, dataset: PreparedDataset, settings: EvaluateParams
    ) -> Evaluated:
        """Evaluate a bundle as a whole and exit by exit."""
        images, labels = dataset.images("test"), np.asarray(dataset.labels("test"))
        model = Classifier.load(bundle)
        answers, manifest = predict_batch(model, images), model.manifest
        scores, bins = evaluate_answers(
            labels,
            answers,
            macs=manifest.macs,
            temperatures=manifest.temperatures,
            settings=settings,
        )
        return Evaluated(
            scores,
            f"accuracy {scores.accuracy:.4f} at cost {scores.cost:.3f}",
            predictions={
                "labels": labels,
                "logits": answers.logits,
                "predicted": answers.predicted,
                "exit_index": answers.exit_index,
            },
            examples=examples_of(
                images,
                labels,
                answers,
                score=manifest.score,
                temperatures=manifest.temperatures,
            ),
            reliability=bins,
        )

    def answer(
        self, network: Network, dataset: PreparedDataset, settings: EvaluateParams
    ) -> ClassScore:
        """Have a network answer, to its last exit."""
        predicted = network(dataset.images("test")).argmax(axis=-1)
        return ClassScore(predicted == np.asarray(dataset.labels("test")), settings)

    def score(
        self, predictor: Predictor, dataset: PreparedDataset, settings: EvaluateParams
    ) -> ClassScore:
        """Have a classifier answer, with early exits."""
        predicted = _answers(predictor, dataset).predicted
        return ClassScore(predicted == np.asarray(dataset.labels("test")), settings)

    def reference(self, predictor: Predictor, dataset: PreparedDataset) -> Histograms:
        """Count exits and confidences of the answers to the test split."""
        answers = _answers(predictor, dataset)
        scores = max_probability(answers.logits, predictor.manifest.temperatures)
        return histograms_of(
            answers.exit_index,
            scores[np.arange(len(scores)), answers.exit_index],
            exits=predictor.segments.count,
        )


def _answers(predictor: Predictor, dataset: PreparedDataset) -> BatchPredictions:
    assert isinstance(predictor, Classifier)
    return predict_batch(predictor, dataset.images("test"))
