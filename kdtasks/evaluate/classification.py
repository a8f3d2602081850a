"""Evaluate what a classifier's bundle answers on the test split: the whole, and each exit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import Baseline, Evaluation, FullScores, Quality, ReliabilityBin
from kdtasks.core.text import percent, plain
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.classifier import BatchPredictions, Classifier, predict_batch
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.scores import SCORES, max_probability, softmax
from kdtasks.edge.segments import Segments
from kdtasks.edge.telemetry import Histograms, histograms_of
from kdtasks.evaluate import metrics
from kdtasks.evaluate.class_score import ClassScore
from kdtasks.evaluate.evaluator import Arrays, Evaluated, Evaluator, reliability_rows
from kdtasks.evaluate.examples import pick_differences, pick_examples, pick_mistakes
from kdtasks.evaluate.exits.calibrate import Tradeoff, calibrate
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.views import Network
from kdtasks.tasks.classification import Classification


def evaluate_answers(
    score: ClassScore,
    answers: BatchPredictions,
    *,
    macs: Sequence[int],
    temperatures: Sequence[float],
    commonest: int,
) -> tuple[Evaluation, list[list[ReliabilityBin]]]:
    """Compute the scores of a bundle with early exits.

    Args:
        score: of the answers with early exits, N images.
        answers: of the same images, K exits.
        macs: [K], multiply-accumulates up to and including each exit.
        temperatures: [K].
        commonest: the class that the baseline always answers.

    Returns:
        the scores, and of each exit what `metrics.reliability` gives.
    """
    labels, confidence = score.labels, score.settings.confidence
    costs = np.array(macs)[answers.exit_index]
    cost = float(costs.mean() / macs[-1])
    probabilities = softmax(answers.logits, np.asarray(temperatures))
    full = replace(score, predicted=answers.by_exit[:, -1]).with_interval()
    constant = replace(score, predicted=np.full(len(labels), commonest))
    baseline = Baseline(
        answer=score.class_names[commonest],
        **constant.scores().model_dump(include=set(Quality.model_fields)),
    )
    scores = Evaluation(
        **score.size.present(),
        **score.with_interval().present(),
        metric=score.settings.metric,
        full=FullScores(**full.present()),
        cost=cost,
        saved=1.0 - cost,
        mean_macs=float(costs.mean()),
        exits=metrics.exit_breakdown(labels, answers.by_exit, answers.exit_index),
        changed=metrics.count_changed(
            labels, answers.by_exit, answers.exit_index, confidence, score.groups
        ),
        calibration_error=tuple(
            metrics.expected_calibration_error(probabilities[:, k], labels)
            for k in range(len(macs))
        ),
        intervals={
            metric.key: score.interval_of(metric.key, confidence) for metric in score.task.metrics
        },
        by_class=score.by_class(),
        baseline=baseline,
        confusion=tuple(map(tuple, score.confusion().tolist())),
    )
    return scores, [metrics.reliability(probabilities[:, k], labels) for k in range(len(macs))]


def commonest_class(dataset: PreparedDataset) -> int:
    """Give the class with the most training images; of equal ones the first."""
    return int(np.bincount(dataset.labels("train"), minlength=dataset.num_classes).argmax())


def _sentence(scores: Evaluation) -> str:
    """Say every metric, and what accuracy needs no model at all."""
    assert scores.baseline
    is_agreement = scores.labels_from is not None
    text = ", ".join(
        f"{metric.by(teacher=is_agreement).name} {scores.score(metric.key):.4f}"
        for metric in Classification.metrics
    )
    base, right = scores.baseline, "agree with it" if is_agreement else "be right"
    return (
        f"{text} at cost {scores.cost:.3f} (always answering {base.answer} would {right} in "
        f"{plain(percent(base.accuracy))})"
    )


class ClassificationEvaluator(Evaluator[ClassScore]):
    """Images that have one class each."""

    task = Classification()

    def calibrate(
        self, model: Path, compressed: Compressed, settings: ExitsParams, *, seen_rows: int
    ) -> tuple[Calibration, Tradeoff]:
        """Choose temperatures and thresholds, and score them on the validation split."""
        segments = Segments(model)
        calibration, validation = (
            (segments.logits_of(self.dataset.images(split)), self.dataset.labels(split))
            for split in ("calibration", "validation")
        )
        result, choices = calibrate(
            calibration,
            validation,
            settings,
            macs=compressed.macs,
            seen_rows=seen_rows,
            groups=np.asarray(self.dataset.groups("calibration")),
        )
        judged = {"labels_from": self.dataset.labels_from("calibration")}
        return result.model_copy(update=judged), choices

    def evaluate(self, bundle: Path) -> Evaluated:
        """Evaluate a bundle as a whole and exit by exit."""
        model, images, labels = Classifier.load(bundle), self.images, self.labels
        answers, manifest = predict_batch(model, images), model.manifest
        score = self._score(answers.predicted)
        scores, bins = evaluate_answers(
            score,
            answers,
            macs=manifest.macs,
            temperatures=manifest.temperatures,
            commonest=commonest_class(self.dataset),
        )
        confidences = SCORES[manifest.score](answers.logits, np.asarray(manifest.temperatures))
        slice_results = self.slice_results(self.network(model), score)
        scores = scores.model_copy(
            update={
                "labels_from": self.dataset.labels_from(self.split),
                "slices": slice_results.scores(self.settings.confidence) if slice_results else {},
            }
        )
        rows, group = pick_examples(answers.by_exit, answers.exit_index, confidences)
        taken = np.take_along_axis(confidences, answers.exit_index[:, np.newaxis], axis=1)[:, 0]
        mistakes = pick_mistakes(labels, answers.predicted, taken)
        return Evaluated(
            scores,
            _sentence(scores),
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
                "mistakes": images[mistakes],
                "mistakes_labels": labels[mistakes],
                "mistakes_answers": answers.predicted[mistakes],
                "mistakes_confidence": taken[mistakes],
                **(slice_results.arrays() if slice_results else {}),
            },
            reliability=reliability_rows(bins),
        )

    def answer(self, network: Network) -> ClassScore:
        """Have a network answer, to its last exit."""
        return self._score(network(self.images).argmax(axis=-1))

    def compared_arrays(self, models: Mapping[str, ClassScore]) -> Arrays:
        """Give the images that teacher and distilled student answer differently, some of them."""
        if "teacher" not in models or self.is_teacher_labelled:
            return {}
        teacher, student = models["teacher"].predicted, models["distill"].predicted
        rows, counts = pick_differences(self.labels, teacher, student)
        return {
            "counts": counts,
            "images": self.images[rows],
            "labels": self.labels[rows],
            "teacher": teacher[rows],
            "distill": student[rows],
        }

    def network(self, predictor: Predictor) -> Network:
        """Give the logits of the exit that each image leaves at."""

        def left(images: NDArray[np.uint8]) -> NDArray[np.floating]:
            assert isinstance(predictor, Classifier)
            answers = predict_batch(predictor, images)
            return answers.logits[np.arange(len(images)), answers.exit_index]

        return left

    def _score(self, predicted: NDArray[np.integer]) -> ClassScore:
        names = self.dataset.class_names
        return ClassScore(
            self.labels, predicted, names, self.settings, self.groups, self.is_teacher_labelled
        )

    def reference(self, predictor: Predictor) -> Histograms:
        """Count exits and confidences of the answers to one test image of each group."""
        assert isinstance(predictor, Classifier)
        answers = predict_batch(predictor, self.images)
        scores = max_probability(answers.logits, predictor.manifest.temperatures)
        rows = np.unique(self.groups, return_index=True)[1]
        return histograms_of(
            answers.exit_index[rows],
            scores[rows, answers.exit_index[rows]],
            exits=predictor.segments.count,
        )
