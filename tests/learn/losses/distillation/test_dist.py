"""DIST against values worked by hand."""

from typing import Any

import numpy as np
import pytest

from kdtasks.learn.losses.distillation.dist import DIST


def dist(student: Any, teacher: Any, temperature: float) -> Any:
    return DIST()(student, teacher, temperature, labels=None)


# Row 1: teacher (1/2, 1/4, 1/4), student (1/4, 1/2, 1/4); less their mean 1/3, in twelfths:
# (2, −1, −1) and (−1, 2, −1): ρ = (−2 − 2 + 1) / (4 + 1 + 1) = −1/2.
# Row 2: both (1/6, 1/3, 1/2): ρ = 1. Mean over rows: 1/4.
# Classes over the two rows, teacher and student: (1/2, 1/6) and (1/4, 1/6) both fall: ρ = 1;
# (1/4, 1/3) rises, (1/2, 1/3) falls: ρ = −1; (1/4, 1/2) twice: ρ = 1. Mean over classes: 1/3.
# Together (1 − 1/4) + (1 − 1/3) = 17/12.
TEACHER = np.log([[2.0, 1.0, 1.0], [1.0, 2.0, 3.0]]).astype(np.float32)
STUDENT = np.log([[1.0, 2.0, 1.0], [1.0, 2.0, 3.0]]).astype(np.float32)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_by_hand(temperature: float):
    # Logits times T have the same probabilities, and the loss the factor T².
    value = dist(temperature * STUDENT, temperature * TEACHER, temperature)
    assert float(value) == pytest.approx(temperature**2 * 17 / 12, rel=1e-4)


def test_pixels_are_rows():
    student, teacher = np.random.default_rng(0).normal(size=(2, 2, 3, 4, 5)).astype(np.float32)
    flat = dist(student.reshape(-1, 5), teacher.reshape(-1, 5), 2.0)
    assert float(dist(student, teacher, 2.0)) == pytest.approx(float(flat), rel=1e-6)


def test_numbers_without_any_spread_do_not_correlate_with_others():
    # The student gives every image (1/2, 1/4, 1/4): no class varies over the rows, ρ = 0 for all
    # three; for the teacher they do. Rows: ρ of (2, −1, −1) with (2, −1, −1) is 1, with
    # (−2, 0, 2) it is (−4 − 2) / √(6 · 8) = −0.866025; mean 0.066987.
    student = np.concatenate([TEACHER[:1], TEACHER[:1]])
    value = dist(student, TEACHER, 1.0)
    assert float(value) == pytest.approx(2 - 0.066987, abs=2e-3)
