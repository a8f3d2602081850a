"""Losses against values worked by hand, and what must hold for any logits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtasks.backend import tf
from kdtasks.distillation.losses import LOSSES, cross_entropy, kd

logit_rows = st.lists(
    st.lists(st.floats(-30, 30, width=32), min_size=4, max_size=4), min_size=1, max_size=5
).map(lambda rows: np.array(rows, np.float32))
temperatures = st.floats(0.5, 20.0)


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_the_classes():
    assert float(cross_entropy(np.zeros((3, 5), np.float32), [0, 4, 2])) == pytest.approx(
        math.log(5)
    )


def test_cross_entropy_by_hand():
    # Row 1: softmax of (ln 3, 0) is (3/4, 1/4); the label is class 0: −ln 3/4 = 0.28768.
    # Row 2: softmax of (0, ln 4) is (1/5, 4/5); the label is class 0: −ln 1/5 = 1.60944.
    logits = np.log([[3.0, 1.0], [1.0, 4.0]]).astype(np.float32)
    assert float(cross_entropy(logits, [0, 0])) == pytest.approx((0.287682 + 1.609438) / 2)


def test_cross_entropy_leaves_out_ignored_rows():
    # The same rows and one between them that is ignored: the mean is over two rows, not three.
    logits = np.log([[3.0, 1.0], [9.0, 7.0], [1.0, 4.0]]).astype(np.float32)
    labels = np.array([0, 255, 0], np.uint8)
    assert float(cross_entropy(logits, labels, 255)) == pytest.approx((0.287682 + 1.609438) / 2)


def test_cross_entropy_of_nothing_but_ignored_pixels_is_zero():
    logits = np.ones((2, 3, 3, 4), np.float32)
    assert float(cross_entropy(logits, np.full((2, 3, 3), 255, np.uint8), 255)) == 0.0


def test_cross_entropy_of_pixels_is_the_mean_over_pixels():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 5, (2, 3, 4))
    assert float(cross_entropy(logits, labels)) == pytest.approx(
        float(cross_entropy(logits.reshape(-1, 5), labels.reshape(-1))), rel=1e-6
    )


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


@settings(max_examples=40)
@given(logits=logit_rows, temperature=temperatures)
def test_kd_of_equal_logits_is_zero(logits: np.ndarray, temperature: float):
    assert float(kd(logits, logits, temperature)) == 0.0


@settings(max_examples=40)
@given(
    teacher=logit_rows,
    temperature=temperatures,
    shifts=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
)
def test_kd_does_not_see_shifts(
    teacher: np.ndarray, temperature: float, shifts: tuple[float, float]
):
    student = teacher[:, ::-1] * 0.5
    shifted = kd(student + np.float32(shifts[0]), teacher + np.float32(shifts[1]), temperature)
    plain = float(kd(student, teacher, temperature))
    # Sums of logits and shifts are rounded to 2⁻¹⁷; T times that may show in T²·KL.
    assert float(shifted) == pytest.approx(plain, rel=1e-3, abs=1e-2)


@settings(max_examples=40)
@given(student=logit_rows, temperature=temperatures)
def test_kd_is_never_negative(student: np.ndarray, temperature: float):
    teacher = np.roll(student, 1, axis=-1)
    # T² magnifies the rounding of a KL of nearly 0.
    assert float(kd(student, teacher, temperature)) >= -1e-6 * temperature**2


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_huge_logits_stay_finite(temperature: float):
    student = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 5.0]], np.float32)
    teacher = np.array([[-1e4, 1e4, 3.0], [-1e4, 1e4, -1e4]], np.float32)
    with tf.GradientTape() as tape:
        variable = tf.Variable(student)
        loss = kd(variable, teacher, temperature) + cross_entropy(variable, [1, 0])
    # Row 1 of the KL is T²·(2·10⁴ / T), row 2 is 0; each cross-entropy is 2·10⁴.
    assert float(loss) == pytest.approx(temperature * 1e4 + 2e4, rel=1e-4)
    assert np.isfinite(tape.gradient(loss, variable).numpy()).all()


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


def test_every_loss_has_the_name_that_params_know():
    assert set(LOSSES) == {"kd"}
