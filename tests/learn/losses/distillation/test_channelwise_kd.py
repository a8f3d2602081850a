"""Channel-wise distillation against values worked by hand."""

import math

import numpy as np
import pytest

from kdtasks.learn.losses.distillation.channelwise_kd import ChannelwiseKD
from kdtasks.learn.losses.distillation.kd import KD

# One image of 1×2 pixels and two classes. Class 0 over the two positions: teacher (ln 3, 0), so
# (3/4, 1/4); student (1/2, 1/2). KL = 3/4·ln(3/2) + 1/4·ln(1/2) = 0.304099 − 0.173287 = 0.130812.
# Class 1: both (1/2, 1/2), KL = 0. Divided by C = 2: 0.065406.
TEACHER = np.array([[[[math.log(3), 0.0], [0.0, 0.0]]]], np.float32)
STUDENT = np.zeros((1, 1, 2, 2), np.float32)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_by_hand(temperature: float):
    # Logits times T have the same probabilities, and the loss the factor T².
    value = ChannelwiseKD()(STUDENT, temperature * TEACHER, temperature, None)
    assert float(value) == pytest.approx(temperature**2 * 0.065406, abs=1e-5)


def test_it_is_the_mean_over_images():
    student, teacher = np.concatenate([STUDENT, TEACHER]), np.concatenate([TEACHER, TEACHER])
    assert float(ChannelwiseKD()(student, teacher, 1.0, None)) == pytest.approx(
        0.065406 / 2, abs=1e-6
    )


def test_it_looks_at_positions_where_kd_looks_at_classes():
    # A constant on one class's whole map moves no probability of a position, but those of classes.
    lifted = TEACHER + np.array([5.0, 0.0], np.float32)
    assert float(ChannelwiseKD()(lifted, TEACHER, 1.0, None)) == pytest.approx(0.0, abs=1e-6)
    assert float(KD()(lifted, TEACHER, 1.0, None)) > 0.5
