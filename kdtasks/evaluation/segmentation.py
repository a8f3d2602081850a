"""Metrics of masks, all of them from one confusion matrix of labelled pixels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtasks.errors import EvaluationError
from kdtasks.training.confusion import class_iou

Counts = npt.NDArray[np.int64]


def mask_figures(confusion: Counts, class_names: Sequence[str]) -> dict[str, Any]:
    """Give the figures of masks, of every class and their means.

    With true positives TP, false positives FP and false negatives FN of a class: IoU is
    TP / (TP + FP + FN), Dice 2·TP / (2·TP + FP + FN), precision TP / (TP + FP), recall
    TP / (TP + FN).

    Arguments:
        confusion: int64 [classes, classes], pixels by label (first axis) and answer (second).
        class_names: of each class.

    Returns:
        `mean_iou`, `dice`, `precision`, `recall`: means over the classes, `accuracy`: share of the
        pixels that are right, and `classes`: name to `iou`, `dice`, `precision`, `recall` and
        labelled `pixels`. A figure that has nothing to count is None. The means of IoU and Dice
        leave out classes that are neither labelled nor answered, the means of precision and recall
        classes without a label; a labelled class that is never answered has precision 0 there.

    Raises:
        EvaluationError: the matrix is no square of as many classes, or counts nothing.
    """
    classes = len(class_names)
    if confusion.shape != (classes, classes) or not confusion.sum():
        raise EvaluationError(
            f"got a confusion matrix {list(confusion.shape)} of {int(confusion.sum()):,} pixels; "
            f"[{classes}, {classes}] with at least one labelled pixel was expected"
        )
    right = np.diag(confusion).astype(np.float64)
    labelled, answered = confusion.sum(axis=1), confusion.sum(axis=0)
    iou = class_iou(confusion)
    with np.errstate(invalid="ignore"):
        dice = 2 * right / (labelled + answered)
        precision, recall = right / answered, right / labelled
    has_label = labelled > 0
    return {
        "mean_iou": float(np.nanmean(iou)),
        "dice": float(np.nanmean(dice)),
        "precision": float(np.nan_to_num(precision[has_label]).mean()),
        "recall": float(recall[has_label].mean()),
        "accuracy": float(right.sum() / confusion.sum()),
        "classes": {
            name: {
                "iou": _known(iou[index]),
                "dice": _known(dice[index]),
                "precision": _known(precision[index]),
                "recall": _known(recall[index]),
                "pixels": int(labelled[index]),
            }
            for index, name in enumerate(class_names)
        },
    }


def mean_figures(models: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Average the figures of several models, seed by seed; of equal pixels.

    A figure that one of them does not have is left out of its mean.
    """
    means: dict[str, Any] = {}
    for key, value in models[0].items():
        found = [model[key] for model in models]
        if isinstance(value, dict):
            means[key] = mean_figures(found)
        elif key == "pixels":
            means[key] = value
        else:
            known = [figure for figure in found if figure is not None]
            means[key] = float(np.mean(known)) if known else None
    return means


def _known(figure: float) -> float | None:
    return None if np.isnan(figure) else float(figure)
