"""Intervals of the mean IoU over source images."""

import numpy as np
import pytest

from kdtasks.core.errors import EvaluationError
from kdtasks.evaluate.evaluator import EvaluateParams
from kdtasks.evaluate.pixel_counts import iou_gain_interval, mean_iou_interval

SETTINGS = EvaluateParams(confidence=0.9)


def confusions(right: list[int]) -> np.ndarray:
    """Images of ten pixels of each of two classes, so many right of each."""
    return np.array([[[hits, 10 - hits], [10 - hits, hits]] for hits in right])


def test_equal_images_have_no_spread() -> None:
    # 9 of 10 right, 1 taken for the other: IoU 9 / 11.
    interval = mean_iou_interval(confusions([9, 9, 9, 9]), SETTINGS)
    assert interval == pytest.approx((9 / 11, 9 / 11))


def test_one_image_tells_nothing() -> None:
    assert mean_iou_interval(confusions([9]), SETTINGS) is None


def test_the_interval_holds_the_figure_and_is_the_same_again() -> None:
    found = confusions([5, 7, 8, 9, 9, 10])
    low, high = mean_iou_interval(found, SETTINGS) or (0, 0)
    assert low < 48 / 72 < high
    assert mean_iou_interval(found, SETTINGS) == (low, high)
    few = {
        mean_iou_interval(found, EvaluateParams(bootstrap_samples=5, seed=seed))
        for seed in range(5)
    }
    assert len(few) > 1


def test_more_images_tell_more() -> None:
    few, many = (
        mean_iou_interval(confusions([5, 7, 9, 10] * repeats), SETTINGS) or (0, 0)
        for repeats in (1, 25)
    )
    assert (many[1] - many[0]) < 0.35 * (few[1] - few[0])


def test_pairs_stay_together() -> None:
    # Images differ a lot, the two models by the same share of every image: the gain is sure.
    hits = np.array([4, 5, 6, 7, 8, 9])
    first = np.stack([confusions(list(hits + 1)), confusions(list(hits + 1))])
    second = np.stack([confusions(list(hits)), confusions(list(hits))])
    low, high = iou_gain_interval(first, second, SETTINGS) or (0, 0)
    assert 0 < low < high
    alone = mean_iou_interval(confusions(list(hits)), SETTINGS) or (0, 0)
    assert high - low < 0.5 * (alone[1] - alone[0])
    turned = iou_gain_interval(second, first, SETTINGS)
    assert turned == pytest.approx((-high, -low))


def test_a_class_that_a_resample_lacks_is_left_out_of_it() -> None:
    # The second class is in one image only; all of it is right, as is the first class.
    found = np.array([[[10, 0], [0, 0]], [[10, 0], [0, 5]]])
    assert mean_iou_interval(found, SETTINGS) == (1.0, 1.0)


def test_other_seeds_or_images_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"must be .+ of the same seeds and images"):
        iou_gain_interval(np.zeros((1, 2, 3, 3), int), np.zeros((2, 2, 3, 3), int), SETTINGS)
