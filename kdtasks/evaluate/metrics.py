"""Metrics of classifiers: calibration error, accuracy exit by exit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from kdtasks.core.errors import EvaluationError
from kdtasks.core.records import Part
from kdtasks.core.records.evaluate import (
    ChangedAnswers,
    ClassScores,
    Exit,
    ModelScores,
    PrecisionRecall,
    ReliabilityBin,
)
from kdtasks.evaluate.clusters import Groups
from kdtasks.evaluate.intervals import gain_interval
from kdtasks.tasks.confusion import class_iou

Counts = npt.NDArray[np.int64]
Curve = npt.NDArray[np.float64]
# Thresholds 0, 1/200 … 199/200: a pixel is answered with a class from the threshold on.
THRESHOLDS = 200


def reliability(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = 15
) -> list[ReliabilityBin]:
    """Give accuracy against confidence in equal bins of confidence, least confident bin first.

    Args:
        probabilities: float [N, C], rows that add up to 1; the answer is the largest.
        labels: integer [N].
        bins: number of bins (m/bins, (m+1)/bins] of 0 … 1; those without rows are excluded.

    Source: Guo et al. 2017, arXiv 1706.04599, figure 1.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    members = [bin_of == index for index in np.unique(bin_of)]
    return [
        ReliabilityBin(
            confidence=float(confidence[rows].mean()),
            accuracy=float(right[rows].mean()),
            rows=int(np.count_nonzero(rows)),
        )
        for rows in members
    ]


def expected_calibration_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = 15
) -> float:
    """Give the mean gap between confidence and accuracy over the bins of `reliability`.

    Source: Guo et al. 2017, arXiv 1706.04599, equation 3.
    """
    found = reliability(probabilities, labels, bins=bins)
    return sum(bin.rows * abs(bin.accuracy - bin.confidence) for bin in found) / len(labels)


def exit_breakdown(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], exit_index: NDArray[np.integer]
) -> tuple[Exit, ...]:
    """Say for each exit how many rows reach it, how many leave there, and how right it is.

    Args:
        labels: integer [N].
        predicted: integer [N, K], the answer each exit would give.
        exit_index: integer [N], where each row left, 0 … K − 1.

    Returns: one row an exit, in order. `reached` and `exit_rate` are fractions of all rows; a
        row reaches every exit up to the one it leaves at, so `exit_rate` times `accuracy_taken` add
        up to the overall accuracy.
    """
    rows, exits = predicted.shape
    right = predicted == labels[:, None]
    return tuple(
        Exit(
            reached=int(reached.sum()) / rows,
            exit_rate=int(taken.sum()) / rows,
            accuracy_all=int(right[:, index].sum()) / rows,
            accuracy_reached=_accuracy(right[reached, index]),
            accuracy_taken=_accuracy(right[taken, index]),
        )
        for index in range(exits)
        for reached, taken in [(exit_index >= index, exit_index == index)]
    )


def changed_rows(
    by_exit: NDArray[np.integer], exit_index: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Give the rows whose answer is not the last exit's.

    Args:
        by_exit: integer [N, K], the answer each exit would give.
        exit_index: integer [N], where each row left.
    """
    predicted = by_exit[np.arange(len(by_exit)), exit_index]
    return np.flatnonzero(predicted != by_exit[:, -1])


def count_changed(
    labels: NDArray[np.integer],
    by_exit: NDArray[np.integer],
    exit_index: NDArray[np.integer],
    confidence: float,
    groups: Groups | None = None,
) -> ChangedAnswers:
    """Count the changed answers; `labels` and `groups` are [N], the rest as for `changed_rows`."""
    rows = changed_rows(by_exit, exit_index)
    early_right = by_exit[np.arange(len(labels)), exit_index] == labels
    last_right = by_exit[:, -1] == labels
    early, last = (int(right[rows].sum()) for right in (early_right, last_right))
    interval = gain_interval(early_right, last_right, groups, confidence)
    return ChangedAnswers(rows=len(rows), early_right=early, last_right=last, interval=interval)


def _accuracy(right: NDArray[np.bool_]) -> float | None:
    return int(np.count_nonzero(right)) / len(right) if len(right) else None


def mask_scores(
    confusion: Counts, probabilities: Counts, class_names: Sequence[str]
) -> ModelScores:
    """Give the scores of masks, of every class and their means.

    With true positives TP, false positives FP and false negatives FN of a class: IoU is
    TP / (TP + FP + FN), Dice 2·TP / (2·TP + FP + FN), precision TP / (TP + FP), recall
    TP / (TP + FN).

    Args:
        confusion: int64 [classes, classes], pixels by label (first axis) and answer (second).
        probabilities: int64 [classes, 2, thresholds], as of `count_probabilities`.
        class_names: of each class.

    Returns:
        Means over the classes, the fraction of the pixels that are right, and the scores of every
        class, without an interval. A score that has nothing to count is None. The means of IoU and
        Dice exclude classes that are neither labelled nor answered, the means of precision and
        recall classes without a label; a labelled class that is never answered has precision 0
        there.

    Raises:
        EvaluationError: no pixel is labelled.
    """
    if not confusion.sum():
        raise EvaluationError("no test pixel is labelled; label some, or split the images anew")
    right = np.diag(confusion).astype(np.float64)
    labelled, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    iou = class_iou(confusion)
    with np.errstate(invalid="ignore"):
        dice = 2 * right / (labelled + predicted)
        precision, recall = right / predicted, right / labelled
    has_label = labelled > 0
    curves = zip(*precision_recall(probabilities), strict=True)
    return ModelScores(
        mean_iou=float(np.nanmean(iou)),
        dice=float(np.nanmean(dice)),
        precision=float(np.nan_to_num(precision[has_label]).mean()),
        recall=float(recall[has_label].mean()),
        accuracy=float(right.sum() / confusion.sum()),
        at_half=at_half(probabilities),
        classes={
            name: ClassScores(
                iou=_known(iou[index]),
                dice=_known(dice[index]),
                precision=_known(precision[index]),
                recall=_known(recall[index]),
                average_precision=average_precision(*curve),
                pixels=int(labelled[index]),
            )
            for index, (name, curve) in enumerate(zip(class_names, curves, strict=True))
        },
        interval=None,
    )


def mean_scores(values: Sequence[Any]) -> Any:
    """Average the scores of several models, part by part; they are of equal pixels.

    What one of them does not have is excluded from its mean.
    """
    first = values[0]
    if isinstance(first, Part):
        keys = first.present()
        return type(first)(**{key: mean_scores([getattr(v, key) for v in values]) for key in keys})
    if isinstance(first, dict):
        return {key: mean_scores([value[key] for value in values]) for key in first}
    if isinstance(first, int):  # pixels
        return first
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _known(score: float) -> float | None:
    return None if np.isnan(score) else float(score)


def count_probabilities(
    probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> Counts:
    """Count pixels by class, whether they are of it, and probability: int64 [classes, 2, 200].

    Args:
        probabilities: float [N, classes].
        labels: integers [N], all of them classes.
    """
    classes = probabilities.shape[1]
    bins = np.clip((probabilities * THRESHOLDS).astype(np.int64), 0, THRESHOLDS - 1)
    is_class = (labels[:, None] == np.arange(classes)).astype(np.int64)
    cells = (np.arange(classes) * 2 + is_class) * THRESHOLDS + bins
    counts = np.bincount(cells.ravel(), minlength=classes * 2 * THRESHOLDS)
    return counts.reshape(classes, 2, THRESHOLDS)


def precision_recall(counts: Counts) -> tuple[Curve, Curve]:
    """Give precision and recall at every threshold, float64 [..., 200] each, thresholds rising.

    Args:
        counts: int64 [..., 2, 200] as of `count_probabilities`; added over classes they give the
            curve of all classes together (micro average).

    Returns: precision, NaN where nothing is answered, and recall, NaN where nothing is labelled.
    """
    from_here_on = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    false, true = from_here_on[..., 0, :], from_here_on[..., 1, :]
    with np.errstate(invalid="ignore"):
        return true / (true + false), true / true[..., :1]


def average_precision(precision: Curve, recall: Curve) -> float | None:
    """Give the area under one curve, as a sum of steps: Σ (R_i − R_{i+1}) · P_i.

    Args:
        precision, recall: float64 [200] as of `precision_recall`.

    Returns: 0 … 1; None where nothing is labelled.
    """
    if np.isnan(recall).any():
        return None
    steps = recall - np.append(recall[1:], 0.0)
    return float((np.nan_to_num(precision) * steps).sum())


def at_half(counts: Counts) -> PrecisionRecall:
    """Give precision and recall of all classes together at a probability of 0.5.

    That is what `Precision()` and `Recall()` of Keras measure on masks in one-hot form, but that
    they exclude a probability of just 0.5.

    Args:
        counts: int64 [classes, 2, 200].
    """
    curves = precision_recall(counts.sum(axis=0))
    values = [float(curve[THRESHOLDS // 2]) for curve in curves]
    precision, recall = (None if np.isnan(value) else value for value in values)
    return PrecisionRecall(precision=precision, recall=recall)
