"""Intervals of the mean IoU over source images."""

import numpy as np
import pytest
from scipy.stats import t

from kdtasks.core.errors import EvaluationError
from kdtasks.evaluate.intervals import wilson_interval
from kdtasks.evaluate.jackknife import FEWEST_IMAGES
from kdtasks.evaluate.pixel_counts import iou_gain_interval, mean_iou_interval


def confusions(right: list[int]) -> np.ndarray:
    """Images of ten pixels of each of two classes, so many right of each."""
    return np.array([[[hits, 10 - hits], [10 - hits, hits]] for hits in right])


def test_the_interval_by_hand() -> None:
    """Eight images of 5 … 9 right: pseudo-values of the logit, with Student's t."""
    right = np.array([5, 6, 7, 8, 9, 9, 8, 7])

    def logit(hits: float, images: int) -> float:
        iou = hits / (20 * images - hits)  # of each class: right by all that is either
        return float(np.log(iou / (1 - iou)))

    whole = logit(right.sum(), 8)
    others = [logit(right.sum() - hits, 7) for hits in right]
    pseudo = [8 * whole - 7 * other for other in others]
    half = t.ppf(0.95, 7) * np.std(pseudo, ddof=1) / np.sqrt(8)
    expected = [1 / (1 + np.exp(-(np.mean(pseudo) + end))) for end in (-half, half)]
    # A miss of one class is a false answer of the other: the union is 20 n − hits pixels.
    assert mean_iou_interval(confusions(right.tolist()), 0.9) == pytest.approx(expected)


def test_equal_images_have_no_spread() -> None:
    assert mean_iou_interval(confusions([9] * 8), 0.9) is None
    assert mean_iou_interval(confusions([10] * 8), 0.9) == wilson_interval(8, 8, 0.9)
    assert mean_iou_interval(confusions([0] * 8), 0.9) == wilson_interval(0, 8, 0.9)


def test_one_image_with_a_mistake_is_not_taken_for_none() -> None:
    low, high = mean_iou_interval(confusions([10] * 11 + [9]), 0.9) or (1, 0)
    assert low < 119 / 121 < high < 1


def test_too_few_images_tell_nothing() -> None:
    few = confusions([5, 7, 9, 6, 8, 7, 9])
    assert len(few) == FEWEST_IMAGES - 1
    assert mean_iou_interval(few, 0.9) is None
    assert iou_gain_interval(few[None], few[None, ::-1], 0.9) is None


def test_more_images_tell_more() -> None:
    few, many = (
        mean_iou_interval(confusions([5, 7, 9, 10] * repeats), 0.9) or (0, 0) for repeats in (2, 50)
    )
    assert (many[1] - many[0]) < 0.25 * (few[1] - few[0])


def test_pairs_stay_together() -> None:
    # Images differ a lot, the two models by the same fraction of every image: the gain is sure.
    hits = np.array([4, 5, 6, 7, 8, 9, 5, 7])
    first = np.stack([confusions(list(hits + 1)), confusions(list(hits + 1))])
    second = np.stack([confusions(list(hits)), confusions(list(hits))])
    low, high = iou_gain_interval(first, second, 0.9) or (0, 0)
    assert 0 < low < high
    alone = mean_iou_interval(confusions(list(hits)), 0.9) or (0, 0)
    assert high - low < 0.5 * (alone[1] - alone[0])
    turned = iou_gain_interval(second, first, 0.9)
    assert turned == pytest.approx((-high, -low))


def test_a_class_of_one_image_is_left_out_with_it() -> None:
    # All of the second class is in one image, and is right; the first class is not always.
    found = np.array([[[9, 1], [0, 0]], [[8, 2], [0, 5]], *[[[7, 3], [0, 0]]] * 6])
    low, high = mean_iou_interval(found, 0.9) or (0, 1)
    assert 0 < low < high < 1


def test_other_seeds_or_images_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"must be .+ of the same seeds and images"):
        iou_gain_interval(np.zeros((1, 2, 3, 3), int), np.zeros((2, 2, 3, 3), int), 0.9)
