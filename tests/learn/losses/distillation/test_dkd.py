"""Decoupled distillation against values worked by hand."""

import numpy as np
import pytest

from kdtasks.learn.losses.distillation.dkd import DKD
from kdtasks.learn.losses.distillation.kd import KD

# Teacher p = (1/2, 1/4, 1/4), student q = (1/4, 1/2, 1/4), true class 0.
TEACHER = np.log([[2.0, 1.0, 1.0]]).astype(np.float32)
STUDENT = np.log([[1.0, 2.0, 1.0]]).astype(np.float32)
LABEL = np.array([0])
# True class against the rest, (1/2, 1/2) and (1/4, 3/4):
#   1/2·ln 2 + 1/2·ln(2/3) = 0.346574 − 0.202733 = 0.143841.
TARGET = 0.143841
# Among the others, (1/2, 1/2) and (2/3, 1/3):
#   1/2·ln(3/4) + 1/2·ln(3/2) = −0.143841 + 0.202733 = 0.058892.
OTHERS = 0.058892


def test_each_part_by_hand():
    parts = [
        float(DKD(target_weight=alpha, non_target_weight=beta)(STUDENT, TEACHER, 1.0, LABEL))
        for alpha, beta in [(1.0, 0.0), (0.0, 1.0)]
    ]
    assert parts == pytest.approx([TARGET, OTHERS], abs=1e-6)


def test_the_weighted_sum_by_hand_at_temperature_2():
    # Doubled logits at T = 2 have the same probabilities: 4 · (0.143841 + 8 · 0.058892) = 2.459908.
    value = DKD()(2 * STUDENT, 2 * TEACHER, 2.0, LABEL)
    assert float(value) == pytest.approx(4 * (TARGET + 8 * OTHERS), abs=5e-5)


def test_with_the_teachers_own_weight_for_the_others_it_is_kd():
    # KL(p ‖ q) = part of the true class + (1 − p of the true class) · part of the others.
    draw = np.random.default_rng(0)
    for _ in range(5):
        student, teacher = draw.normal(size=(2, 1, 6)).astype(np.float32) * 3
        label = draw.integers(0, 6, 1)
        p = np.exp(teacher[0] / 2) / np.exp(teacher[0] / 2).sum()
        value = DKD(non_target_weight=1 - p[label[0]].item())(student, teacher, 2.0, label)
        assert float(value) == pytest.approx(float(KD()(student, teacher, 2.0, label)), rel=1e-4)


def test_it_is_the_mean_over_rows():
    # Another row, in which both agree, halves the loss.
    student, teacher = np.concatenate([STUDENT, TEACHER]), np.concatenate([TEACHER, TEACHER])
    value = DKD(non_target_weight=0.0)(student, teacher, 1.0, np.array([0, 2]))
    assert float(value) == pytest.approx(TARGET / 2, abs=1e-6)


def test_in_rows_without_a_label_the_teachers_likeliest_class_is_taken_for_the_true_one():
    student, teacher = np.concatenate([STUDENT, STUDENT]), np.concatenate([TEACHER, TEACHER])
    value = DKD(non_target_weight=0.0)(student, teacher, 1.0, np.array([0, -1]))
    assert float(value) == pytest.approx(TARGET, abs=1e-6)  # of class 0 in both


def test_of_two_classes_there_are_no_others():
    student, teacher = np.array([[0.0, 3.0]], np.float32), np.array([[2.0, 0.0]], np.float32)
    value = DKD(target_weight=0.0)(student, teacher, 1.0, LABEL)
    assert float(value) == 0.0
