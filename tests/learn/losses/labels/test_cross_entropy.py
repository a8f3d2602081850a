"""The labels' loss against values worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.backend import keras
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


def test_smoothed_cross_entropy_by_hand():
    # The rows above: −ln p is (0.287682, 1.386294) with mean 0.836988, and (1.609438, 0.223144)
    # with mean 0.916291. With ε = 0.1: 0.9 · 0.287682 + 0.1 · 0.836988 = 0.342613 and
    # 0.9 · 1.609438 + 0.1 · 0.916291 = 1.540123.
    logits = np.log([[3.0, 1.0], [1.0, 4.0]]).astype(np.float32)
    smoothed = CrossEntropy(smoothing=0.1)
    assert float(smoothed(logits, [0, 0])) == pytest.approx((0.342613 + 1.540123) / 2, rel=1e-5)


def test_smoothed_cross_entropy_leaves_out_ignored_rows_and_weighs_classes():
    # Row 2 now has label 1: 0.9 · 0.223144 + 0.1 · 0.916291 = 0.292458, with a weight of 3.
    logits = np.log([[3.0, 1.0], [9.0, 7.0], [1.0, 4.0]]).astype(np.float32)
    labels = np.array([0, 255, 1], np.uint8)
    loss = CrossEntropy(smoothing=0.1)(logits, labels, ignore_label=255, class_weights=(1.0, 3.0))
    assert float(loss) == pytest.approx((0.342613 + 3 * 0.292458) / 4, rel=1e-5)


@given(
    smoothing=st.floats(0.0, 0.999),
    classes=st.integers(2, 12),
    seed=st.integers(0, 2**31),
)
def test_smoothed_cross_entropy_is_that_of_keras(smoothing: float, classes: int, seed: int):
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(7, classes)).astype(np.float32) * 3
    labels = draw.integers(0, classes, 7)
    peer = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    expected = float(peer(np.eye(classes, dtype=np.float32)[labels], logits))
    found = float(CrossEntropy(smoothing=smoothing)(logits, labels))
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
