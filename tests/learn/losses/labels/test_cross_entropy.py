"""The labels' loss against values worked by hand."""

import math

import numpy as np
import pytest

from kdtasks.learn.losses.labels.cross_entropy import CrossEntropy


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_the_classes():
    assert float(CrossEntropy()(np.zeros((3, 5), np.float32), [0, 4, 2])) == pytest.approx(
        math.log(5)
    )


def test_cross_entropy_by_hand():
    # Row 1: softmax of (ln 3, 0) is (3/4, 1/4); the label is class 0: −ln 3/4 = 0.28768.
    # Row 2: softmax of (0, ln 4) is (1/5, 4/5); the label is class 0: −ln 1/5 = 1.60944.
    logits = np.log([[3.0, 1.0], [1.0, 4.0]]).astype(np.float32)
    assert float(CrossEntropy()(logits, [0, 0])) == pytest.approx((0.287682 + 1.609438) / 2)


def test_cross_entropy_leaves_out_ignored_rows():
    # The same rows and one between them that is ignored: the mean is over two rows, not three.
    logits = np.log([[3.0, 1.0], [9.0, 7.0], [1.0, 4.0]]).astype(np.float32)
    labels = np.array([0, 255, 0], np.uint8)
    assert float(CrossEntropy()(logits, labels, ignore_label=255)) == pytest.approx(
        (0.287682 + 1.609438) / 2
    )


def test_cross_entropy_of_nothing_but_ignored_pixels_is_zero():
    logits = np.ones((2, 3, 3, 4), np.float32)
    assert float(CrossEntropy()(logits, np.full((2, 3, 3), 255, np.uint8), ignore_label=255)) == 0.0


def test_cross_entropy_of_pixels_is_the_mean_over_pixels():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 5, (2, 3, 4))
    assert float(CrossEntropy()(logits, labels)) == pytest.approx(
        float(CrossEntropy()(logits.reshape(-1, 5), labels.reshape(-1))), rel=1e-6
    )
