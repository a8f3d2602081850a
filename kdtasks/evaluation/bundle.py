"""Judge what a classifier's bundle answers on the test split: the whole, and each exit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdtasks.datasets.prepared import PreparedDataset
from kdtasks.edge.model import Model
from kdtasks.edge.scores import SCORES, softmax
from kdtasks.evaluation.classification import (
    ReliabilityBin,
    exit_breakdown,
    expected_calibration_error,
    reliability,
)
from kdtasks.evaluation.examples import count_changed, pick_examples
from kdtasks.evaluation.intervals import wilson_interval
from kdtasks.evaluation.outputs import EvaluationFiles, write_arrays, write_reliability
from kdtasks.exits.answers import Answers, answers_of
from kdtasks.params.shipping import EvaluateParams


def evaluate_classifier(
    bundle: Path, dataset: PreparedDataset, settings: EvaluateParams, files: EvaluationFiles
) -> str:
    """Write the files of `evaluate` for a bundle of classification; give a sentence about it.

    Arguments:
        bundle: folder of the bundle.
        settings: level of the intervals.
        files: where to write.

    Raises:
        BundleError: the bundle cannot be used.
    """
    images, labels = dataset.images("test"), np.asarray(dataset.labels("test"))
    model = Model.load(bundle)
    answers, temperatures = answers_of(model, images), model.manifest.temperatures
    content, bins = evaluate_answers(
        labels,
        answers,
        macs=model.manifest.macs,
        temperatures=temperatures,
        confidence=settings.confidence,
    )
    files.write_metrics(content)
    write_reliability(files.reliability, bins)
    kept = {"predicted": answers.predicted, "exit_index": answers.exit_index}
    write_arrays(files.predictions, labels=labels, logits=answers.logits, **kept)
    score = model.manifest.score
    write_examples(files.examples, images, labels, answers, score=score, temperatures=temperatures)
    return "accuracy {accuracy:.4f} at cost {cost:.3f}".format(**content)


def evaluate_answers(
    labels: NDArray[np.integer],
    answers: Answers,
    *,
    macs: Sequence[int],
    temperatures: Sequence[float],
    confidence: float,
) -> tuple[dict[str, Any], list[list[ReliabilityBin]]]:
    """Work out the figures of a bundle with early exits.

    Arguments:
        labels: integer [N].
        answers: of the same N pictures and K exits.
        macs: [K], multiply-accumulates up to and including each exit.
        temperatures: [K].
        confidence: level of the intervals.

    Returns:
        the content of `metrics/evaluate/<variant>.json`, and each exit's reliability.

    Raises:
        EvaluationError: the exits' figures do not add up to those of the whole.
    """
    costs = np.array(macs)[answers.exit_index]
    cost = float(costs.mean() / macs[-1])
    probabilities = softmax(answers.logits, np.asarray(temperatures))
    every_exit = range(len(macs))
    content = {
        "rows": len(labels),
        **_accuracy(answers.predicted == labels, confidence),
        "full": _accuracy(answers.by_exit[:, -1] == labels, confidence),
        "cost": cost,
        "saved": 1.0 - cost,
        "mean_macs": float(costs.mean()),
        "exits": exit_breakdown(labels, answers.by_exit, answers.exit_index),
        "changed": count_changed(labels, answers.by_exit, answers.exit_index)._asdict(),
        "calibration_error": [
            expected_calibration_error(probabilities[:, k], labels) for k in every_exit
        ],
    }
    return content, [reliability(probabilities[:, k], labels) for k in every_exit]


def write_examples(
    path: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    answers: Answers,
    *,
    score: str,
    temperatures: Sequence[float],
) -> None:
    """Write `plots/examples/<variant>.npz`: the pictures that `pick_examples` picks."""
    scores = SCORES[score](answers.logits, np.asarray(temperatures))
    rows, group = pick_examples(answers.by_exit, answers.exit_index, scores)
    write_arrays(
        path,
        images=images[rows],
        group=group,
        rows=rows,
        labels=labels[rows],
        by_exit=answers.by_exit[rows],
        exit_index=answers.exit_index[rows],
    )


def _accuracy(right: NDArray[np.bool_], confidence: float) -> dict[str, Any]:
    correct, total = int(right.sum()), len(right)
    interval = wilson_interval(correct, total, confidence)
    return {"accuracy": correct / total, "interval": list(interval)}
