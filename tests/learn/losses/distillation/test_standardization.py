"""Logit standardisation against values worked by hand."""

import numpy as np
import pytest

from kdtasks.learn.losses.distillation.dkd import DKD
from kdtasks.learn.losses.distillation.kd import KD, standardize


def test_by_hand():
    # (1, 2, 3): mean 2, variance (1 + 0 + 1) / 3 = 2/3, σ = 0.816497; (z − 2) / σ.
    np.testing.assert_allclose(
        standardize([[1.0, 2.0, 3.0]]), [[-1.224745, 0.0, 1.224745]], atol=1e-5
    )


def test_rows_of_equal_logits_become_zero():
    np.testing.assert_array_equal(standardize(np.full((2, 5), 7.0, np.float32)), np.zeros((2, 5)))


def test_standardized_kd_by_hand():
    # Of two classes the larger becomes 1 and the smaller −1: teacher (1, −1), student (−1, 1).
    # Halved by T = 2: p = 1 / (1 + e⁻¹) = 0.731059 and q = 0.268941 for the first class.
    # KL = p·ln(p/q) + q·ln(q/p) = (p − q)·ln(p/q) = 0.462117 · 1; times T² = 4: 1.848469.
    value = KD(standardize=True)(
        np.array([[0.0, 5.0]], np.float32), np.array([[3.0, 0.0]], np.float32), 2.0, np.array([0])
    )
    assert float(value) == pytest.approx(1.848469, abs=1e-5)


@pytest.mark.parametrize("kind", [KD, DKD])
def test_a_student_of_another_scale_has_nothing_to_learn(kind: type[KD | DKD]):
    teacher = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    labels = np.zeros(6, int)
    value = kind(standardize=True)(teacher * 5 + 3, teacher, 2.0, labels)
    assert float(value) == pytest.approx(0, abs=1e-5)
    assert float(kind()(teacher * 5 + 3, teacher, 2.0, labels)) > 0.1
