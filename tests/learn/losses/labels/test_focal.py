"""Focal loss against values worked by hand."""

import math

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.learn.losses.labels.focal import Focal

# Probabilities of class 0: 3/4 and 1/5.
LOGITS = np.log([[3.0, 1.0], [1.0, 4.0]]).astype(np.float32)
ROWS = np.array([0.25**2 * -math.log(0.75), 0.8**2 * -math.log(0.2)])


def test_focal_by_hand():
    assert float(Focal()(LOGITS, [0, 0])) == pytest.approx(ROWS.mean())
    steeper = [0.25**3 * -math.log(0.75), 0.8**3 * -math.log(0.2)]
    assert float(Focal(gamma=3.0)(LOGITS, [0, 0])) == pytest.approx(np.mean(steeper))


def test_ignored_rows_count_nowhere():
    logits = np.concatenate([LOGITS, [[5.0, 0.0]]]).astype(np.float32)
    assert float(Focal()(logits, [0, 0, 255], ignore_label=255)) == pytest.approx(ROWS.mean())


def test_class_weights_weigh_the_rows():
    # Row 1 as class 1: (1 − 4/5)² · −ln 4/5.
    rows = [ROWS[0], 0.2**2 * -math.log(0.8)]
    found = Focal()(LOGITS, [0, 1], class_weights=(1.0, 3.0))
    assert float(found) == pytest.approx((rows[0] + 3 * rows[1]) / 4)


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_gradients_of_sure_rows_are_finite(gamma: float):
    logits = tf.Variable([[200.0, 0.0], [0.0, 200.0], [-1e4, 1e4]])
    with tf.GradientTape() as tape:
        loss = Focal(gamma=gamma)(logits, [0, 0, 1])
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()
