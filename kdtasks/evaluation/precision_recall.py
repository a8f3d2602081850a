"""Precision and recall of every class over all thresholds of its probability."""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Figures = npt.NDArray[np.float64]

THRESHOLDS = 200
"""Thresholds 0, 1/200 … 199/200: a pixel is answered with a class from the threshold on."""


def count_probabilities(
    probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> Counts:
    """Count pixels by class, whether they are of it, and probability: int64 [classes, 2, 200].

    Arguments:
        probabilities: float [N, classes].
        labels: integers [N], all of them classes.
    """
    classes = probabilities.shape[1]
    bins = np.clip((probabilities * THRESHOLDS).astype(np.int64), 0, THRESHOLDS - 1)
    is_class = (labels[:, None] == np.arange(classes)).astype(np.int64)
    places = (np.arange(classes) * 2 + is_class) * THRESHOLDS + bins
    counts = np.bincount(places.ravel(), minlength=classes * 2 * THRESHOLDS)
    return counts.reshape(classes, 2, THRESHOLDS)


def precision_recall(counts: Counts) -> tuple[Figures, Figures]:
    """Give precision and recall at every threshold, float64 [..., 200] each, thresholds rising.

    Arguments:
        counts: int64 [..., 2, 200] as of `count_probabilities`; added over classes they give the
            curve of all classes together (micro average).

    Returns: precision, NaN where nothing is answered, and recall, NaN where nothing is labelled.
    """
    from_here_on = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    false, true = from_here_on[..., 0, :], from_here_on[..., 1, :]
    with np.errstate(invalid="ignore"):
        return true / (true + false), true / true[..., :1]


def average_precision(precision: Figures, recall: Figures) -> float | None:
    """Give the area under one curve, as a sum of steps: Σ (R_i − R_{i+1}) · P_i.

    Arguments:
        precision, recall: float64 [200] as of `precision_recall`.

    Returns: 0 … 1; None where nothing is labelled.
    """
    if np.isnan(recall).any():
        return None
    steps = recall - np.append(recall[1:], 0.0)
    return float((np.nan_to_num(precision) * steps).sum())


def at_half(counts: Counts) -> dict[str, float | None]:
    """Give precision and recall of all classes together at a probability of 0.5.

    That is what `Precision()` and `Recall()` of Keras measure on masks in one-hot form, but that
    they leave out a probability of just 0.5.

    Arguments:
        counts: int64 [classes, 2, 200].
    """
    figures = precision_recall(counts.sum(axis=0))
    here = [float(curve[THRESHOLDS // 2]) for curve in figures]
    precision, recall = (None if np.isnan(value) else value for value in here)
    return {"precision": precision, "recall": recall}
