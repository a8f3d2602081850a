"""Knowledge distillation against values worked by hand."""

import math
from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.learn.losses.distillation.kd import KD


def kd(student: Any, teacher: Any, temperature: float) -> Any:
    return KD()(student, teacher, temperature, labels=None)


def test_kd_by_hand_at_temperature_1():
    # Teacher (ln 3, 0): p = (3/4, 1/4); student (0, 0): q = (1/2, 1/2).
    # KL = 3/4·ln(3/2) + 1/4·ln(1/2) = 0.304099 − 0.173287 = 0.130812.
    value = kd([[0.0, 0.0]], np.array([[math.log(3), 0.0]], np.float32), 1.0)
    assert float(value) == pytest.approx(0.130812, abs=1e-6)


def test_kd_by_hand_at_temperature_2():
    # Teacher (2·ln 3, 0) and student (0, 2·ln 7), both halved by T = 2: (ln 3, 0) and (0, ln 7).
    # p = (3/4, 1/4), q = (1/8, 7/8).
    # KL = 3/4·ln(3/4 / (1/8)) + 1/4·ln(1/4 / (7/8)) = 3/4·ln 6 + 1/4·ln(2/7)
    #    = 1.343820 − 0.313191 = 1.030629; times T² = 4: 4.122516.
    student = np.array([[0.0, 2 * math.log(7)]], np.float32)
    teacher = np.array([[2 * math.log(3), 0.0]], np.float32)
    assert float(kd(student, teacher, 2.0)) == pytest.approx(4.122516, abs=1e-5)


def test_kd_is_the_mean_over_rows():
    # Two rows as in the test at T = 1, one of them equal: half of 0.130812.
    teacher = np.array([[math.log(3), 0.0], [1.0, 2.0]], np.float32)
    student = np.array([[0.0, 0.0], [1.0, 2.0]], np.float32)
    assert float(kd(student, teacher, 1.0)) == pytest.approx(0.065406, abs=1e-6)


def test_kd_of_pixels_is_the_mean_over_pixels():
    student, teacher = np.random.default_rng(0).normal(size=(2, 2, 3, 4, 5)).astype(np.float32)
    assert float(kd(student, teacher, 3.0)) == pytest.approx(
        float(kd(student.reshape(-1, 5), teacher.reshape(-1, 5), 3.0)), rel=1e-6
    )


def test_softmax_is_taken_once():
    # Teacher (20, 0, 0) is sure: its p is (1, 0, 0) to eight digits; the student's q is (1/3, 1/3,
    # 1/3), so KL = ln 3 = 1.099. Taken for logits, p becomes (0.576, 0.212, 0.212), q stays as it
    # is, and KL would be 0.576·ln 1.728 + 2·0.212·ln 0.636 = 0.123.
    teacher = np.array([[20.0, 0.0, 0.0]], np.float32)
    value = kd(np.zeros((1, 3), np.float32), teacher, 1.0)
    assert float(value) == pytest.approx(math.log(3), abs=1e-5)


def test_float16_teacher_logits_are_computed_in_float32():
    teacher = np.array([[6e4, -6e4, 0.25]], np.float16)
    assert float(kd(np.zeros((1, 3), np.float32), teacher, 1.0)) == pytest.approx(math.log(3))


def test_the_gradient_hardly_depends_on_the_temperature():
    # For T large the gradient is (z_student − z_teacher) / classes for logits of mean 0,
    # whatever T (Hinton et al., section 2.1).
    student, teacher = np.random.default_rng(3).normal(size=(2, 1, 10)).astype(np.float32)
    student -= student.mean()
    teacher -= teacher.mean()
    for temperature in (20.0, 50.0, 100.0):
        with tf.GradientTape() as tape:
            variable = tf.Variable(student)
            loss = kd(variable, teacher, temperature)
        gradient = tape.gradient(loss, variable).numpy()
        np.testing.assert_allclose(gradient, (student - teacher) / 10, atol=0.03)
        assert np.linalg.norm(gradient) == pytest.approx(
            np.linalg.norm(student - teacher) / 10, rel=0.1
        )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_huge_logits_keep_their_loss(temperature: float):
    # Row 1: the teacher is sure of class 1, where the student's log q is −2·10⁴ / T:
    # T² · 2·10⁴ / T. Row 2: both are sure of class 1, 0. The mean is T · 10⁴.
    student = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 5.0]], np.float32)
    teacher = np.array([[-1e4, 1e4, 3.0], [-1e4, 1e4, -1e4]], np.float32)
    assert float(kd(student, teacher, temperature)) == pytest.approx(temperature * 1e4, rel=1e-4)
