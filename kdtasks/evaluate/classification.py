"""Judge what a classifier's bundle answers on the test split: the whole, and each exit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.records.compress import Compressed
from kdtasks.core.records.evaluate import (
    Calibration,
    ChangedAnswers,
    Comparison,
    Evaluation,
    FullScores,
    ModelScores,
)
from kdtasks.data.prepared import PreparedDataset
from kdtasks.edge.classifier import BatchPredictions, Classifier, predict_batch
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.scores import SCORES, max_probability, softmax
from kdtasks.edge.segments import Segments
from kdtasks.edge.telemetry import Histograms, histograms_of
from kdtasks.evaluate.comparison import Opens, gain_of, over_seeds
from kdtasks.evaluate.evaluator import Arrays, Evaluated, EvaluateParams
from kdtasks.evaluate.exits.calibrate import Labelled, calibrate
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.exits.thresholds import Point
from kdtasks.evaluate.intervals import (
    Interval,
    Method,
    PairedComparison,
    bootstrap_interval,
    compare_paired,
    wilson_interval,
)
from kdtasks.evaluate.metrics import (
    ReliabilityBin,
    exit_breakdown,
    expected_calibration_error,
    reliability,
)
from kdtasks.tasks.classification import Classification
from kdtasks.tasks.confusion import accuracy


def compare_classifiers(
    dataset: PreparedDataset,
    teacher: Opens,
    students: Mapping[int, Opens],
    distilled: Mapping[int, Opens],
    settings: EvaluateParams,
) -> tuple[Comparison, Arrays]:
    """Ask all models about the test split and compare.

    Args:
        teacher, students, distilled: how to open each model; the students by seed.
        settings: level of the intervals and the bootstrap over test images.

    Returns:
        the comparison, and no arrays.
    """
    images = dataset.images("test")

    def answers(models: Mapping[int, Opens]) -> dict[int, NDArray[np.integer]]:
        return {seed: opens()(images).argmax(axis=-1) for seed, opens in models.items()}

    content = compare(
        dataset.labels("test"),
        teacher()(images).argmax(axis=-1),
        answers(students),
        answers(distilled),
        confidence=settings.confidence,
        bootstrap_samples=settings.bootstrap_samples,
        seed=settings.seed,
    )
    return content, {}


def compare(
    labels: NDArray[np.integer],
    teacher_predicted: NDArray[np.integer],
    student_predicted: Mapping[int, NDArray[np.integer]],
    distilled_predicted: Mapping[int, NDArray[np.integer]],
    *,
    confidence: float,
    bootstrap_samples: int,
    seed: int,
) -> Comparison:
    """Compare answers to the test split.

    Args:
        labels: integer [N], the classes of the test split.
        teacher_predicted: integer [N].
        student_predicted, distilled_predicted: seed to integer [N], the last exit's answers.
        confidence, bootstrap_samples, seed: as in `bootstrap_interval`.

    Raises:
        EvaluationError: shapes or seeds do not match.
    """
    student = {key: accuracy(student_predicted[key], labels) for key in sorted(student_predicted)}
    distilled = {
        key: accuracy(distilled_predicted[key], labels) for key in sorted(distilled_predicted)
    }
    bootstrap = bootstrap_interval(
        np.stack([distilled_predicted[key] == labels for key in distilled]),
        np.stack([student_predicted[key] == labels for key in student]),
        confidence,
        bootstrap_samples,
        seed,
    )
    taught = _accuracy(teacher_predicted, labels, confidence)
    alone = over_seeds(student, confidence)
    return Comparison(
        rows=len(labels),
        teacher=ModelScores(**taught.present()),
        student=alone,
        distill=over_seeds(distilled, confidence),
        gain=gain_of(distilled, student, bootstrap=bootstrap, confidence=confidence),
        teacher_worse_than_student=taught.accuracy < alone.mean,
    )


def evaluate_classifier(
    bundle: Path, dataset: PreparedDataset, settings: EvaluateParams
) -> Evaluated:
    """Judge a bundle of classification on the test split.

    Args:
        bundle: folder of the bundle.
        dataset: its test split is asked about.
        settings: level of the intervals.

    Raises:
        BundleError: the bundle cannot be used.
    """
    images, labels = dataset.images("test"), np.asarray(dataset.labels("test"))
    model = Classifier.load(bundle)
    answers, manifest = predict_batch(model, images), model.manifest
    scores, bins = evaluate_answers(
        labels,
        answers,
        macs=manifest.macs,
        temperatures=manifest.temperatures,
        confidence=settings.confidence,
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


def evaluate_answers(
    labels: NDArray[np.integer],
    answers: BatchPredictions,
    *,
    macs: Sequence[int],
    temperatures: Sequence[float],
    confidence: float,
) -> tuple[Evaluation, list[list[ReliabilityBin]]]:
    """Work out the scores of a bundle with early exits.

    Args:
        labels: integer [N].
        answers: of the same N images and K exits.
        macs: [K], multiply-accumulates up to and including each exit.
        temperatures: [K].
        confidence: level of the intervals.

    Returns:
        the scores, and each exit's reliability.

    Raises:
        EvaluationError: the exits' figures do not add up to those of the whole.
    """
    costs = np.array(macs)[answers.exit_index]
    cost = float(costs.mean() / macs[-1])
    probabilities = softmax(answers.logits, np.asarray(temperatures))
    every_exit = range(len(macs))
    scores = Evaluation(
        rows=len(labels),
        **_accuracy(answers.predicted, labels, confidence).present(),
        full=_accuracy(answers.by_exit[:, -1], labels, confidence),
        cost=cost,
        saved=1.0 - cost,
        mean_macs=float(costs.mean()),
        exits=exit_breakdown(labels, answers.by_exit, answers.exit_index),
        changed=count_changed(labels, answers.by_exit, answers.exit_index),
        calibration_error=tuple(
            expected_calibration_error(probabilities[:, k], labels) for k in every_exit
        ),
    )
    return scores, [reliability(probabilities[:, k], labels) for k in every_exit]


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


def _accuracy(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], confidence: float
) -> FullScores:
    share = accuracy(predicted, labels)
    correct = int(np.count_nonzero(predicted == labels))
    return FullScores(accuracy=share, interval=wilson_interval(correct, len(labels), confidence))


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
    labels: NDArray[np.integer], by_exit: NDArray[np.integer], exit_index: NDArray[np.integer]
) -> ChangedAnswers:
    """Count the changed answers; `labels` are [N], the rest as for `changed_rows`."""
    rows = changed_rows(by_exit, exit_index)
    early = by_exit[rows, exit_index[rows]] == labels[rows]
    last = by_exit[rows, -1] == labels[rows]
    return ChangedAnswers(rows=len(rows), early_right=int(early.sum()), last_right=int(last.sum()))


def pick_examples(
    by_exit: NDArray[np.integer],
    exit_index: NDArray[np.integer],
    scores: NDArray[np.floating],
    *,
    each: int = 12,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pick at most `each` rows that left at each exit, and as many that changed their answer.

    Where there are more, those are taken that lie evenly in the order of confidence, so that a
    strip goes from the surest image to the least sure one.

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


def calibrate_exits(
    model: Path,
    dataset: PreparedDataset,
    compressed: Compressed,
    settings: ExitsParams,
    *,
    seen_rows: int,
) -> tuple[Calibration, list[Point]]:
    """Choose temperatures and thresholds, and judge them on the validation split."""
    segments = Segments(model)

    def answers(split: str) -> Labelled:
        return segments.logits_of(dataset.images(split)), dataset.labels(split)

    return calibrate(
        answers("calibration"),
        answers("validation"),
        settings,
        macs=compressed.macs,
        seen_rows=seen_rows,
    )


@dataclass(frozen=True)
class ClassScore:
    """Which images of the test split a classifier gets right, with early exits.

    Attributes:
        correct: bool [N].
        settings: of a bootstrap.
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

    def interval(self, confidence: float) -> Interval:
        """Give Wilson's interval of the accuracy."""
        return wilson_interval(int(np.count_nonzero(self.correct)), self.rows, confidence)

    def paired(
        self, production: "ClassScore", *, method: Method, confidence: float
    ) -> PairedComparison:
        """Compare image by image."""
        return compare_paired(
            self.correct,
            production.correct,
            method=method,
            confidence=confidence,
            samples=self.settings.bootstrap_samples,
            seed=self.settings.seed,
        )


class ClassificationEvaluator:
    """Images that have one class each."""

    task = Classification()
    calibrate = staticmethod(calibrate_exits)
    evaluate = staticmethod(evaluate_classifier)
    compare = staticmethod(compare_classifiers)

    def score(
        self, predictor: Predictor, dataset: PreparedDataset, settings: EvaluateParams
    ) -> ClassScore:
        """Have a classifier answer the test split."""
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
