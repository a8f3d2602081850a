"""Masks of two models on the same source images, worked by hand where that can be done."""

import numpy as np
import pytest

from kdtasks.core.errors import EvaluationError
from kdtasks.evaluate.intervals import score_lower_bound
from kdtasks.evaluate.metrics import THRESHOLDS
from kdtasks.evaluate.pixel_counts import PixelCounts
from kdtasks.evaluate.settings import EvaluateParams


def score(*wrong: int, pixels: int = 100) -> PixelCounts:
    """A model of two classes that has so many pixels of each image's second class wrong."""
    each = [[[pixels, 0], [count, pixels - count]] for count in wrong]
    return PixelCounts(
        np.array(each, np.int64),
        np.zeros((2, 2, THRESHOLDS), np.int64),
        np.zeros(0, np.uint8),
        ("road", "roof"),
        EvaluateParams(),
    )


def test_the_value_is_the_mean_iou_over_all_images():
    found = score(*[0, 50] * 4)
    assert found.rows == 8
    assert found.value == pytest.approx((200 / 250 + 150 / 200) / 2)
    low, high = found.interval(0.9) or (0.0, 0.0)
    assert low < found.value < high


def test_pairs_stay_together():
    """One model loses the same to another on every image, so all resamples show nearly the same."""
    better, worse = score(*[10, 30] * 20), score(*[12, 32] * 20)
    found = worse.paired(better, method="mcnemar", confidence=0.95)
    assert found.rows == 40
    assert found.difference == pytest.approx(worse.value - better.value)
    assert found.lower <= found.difference <= found.upper < 0
    assert found.upper - found.lower < 0.002
    alone = worse.interval(0.9) or (0.0, 0.0)
    assert alone[1] - alone[0] > 10 * (found.upper - found.lower)
    assert "jackknife over whole images" in found.sentence("production")


def test_models_that_never_differ_are_not_known_to_be_equal():
    found = score(*[10] * 30).paired(score(*[10] * 30), method="bootstrap", confidence=0.95)
    assert found.difference == 0
    assert found.lower == -found.upper == score_lower_bound(0, 0, 30, 0.95)


def test_one_image_shows_nothing():
    found = score(10).paired(score(90), method="bootstrap", confidence=0.95)
    assert (found.lower, found.upper) == (-1.0, 1.0)


def test_other_images_are_refused():
    with pytest.raises(EvaluationError, match=r"\[1, 2, 2, 2\] and \[1, 1, 2, 2\]; both must be"):
        score(1, 2).paired(score(1), method="bootstrap", confidence=0.95)
