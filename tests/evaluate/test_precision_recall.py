"""Curves of precision against recall."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.records.evaluate import PrecisionRecall
from kdtasks.evaluate.metrics import (
    THRESHOLDS,
    at_half,
    average_precision,
    count_probabilities,
    precision_recall,
)


def test_curve_by_hand() -> None:
    # Of class 1: right at 0.9 and 0.6, wrong at 0.7, and a missed one at 0.2.
    probability = np.array([0.9, 0.7, 0.6, 0.2])
    labels = np.array([1, 0, 1, 1])
    counts = count_probabilities(np.stack([1 - probability, probability], axis=1), labels)
    precision, recall = precision_recall(counts)

    def at(threshold: float) -> tuple[float, float]:
        place = round(threshold * THRESHOLDS)
        return precision[1, place], recall[1, place]

    assert at(0.0) == pytest.approx((3 / 4, 1.0))
    assert at(0.5) == pytest.approx((2 / 3, 2 / 3))
    assert at(0.65) == pytest.approx((1 / 2, 1 / 3))
    assert at(0.85) == pytest.approx((1.0, 1 / 3))
    assert np.isnan(at(0.95)[0])
    # 1/3 at precision 1, 1/3 at 2/3, 1/3 at 3/4.
    expected = (1 + 2 / 3 + 3 / 4) / 3
    assert average_precision(precision[1], recall[1]) == pytest.approx(expected)


def test_a_class_without_a_label_has_no_average() -> None:
    counts = count_probabilities(np.array([[0.9, 0.1]]), np.array([0]))
    curves = precision_recall(counts)
    assert average_precision(curves[0][1], curves[1][1]) is None
    assert average_precision(curves[0][0], curves[1][0]) == 1.0


def test_half_counts_all_classes_together() -> None:
    # Three pixels: one sure and right, one sure and wrong, one with nothing above a half.
    probabilities = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]])
    counts = count_probabilities(probabilities, np.array([0, 2, 0]))
    assert at_half(counts) == PrecisionRecall(precision=0.5, recall=1 / 3)
    nothing = count_probabilities(np.array([[0.4, 0.3, 0.3]]), np.array([0]))
    assert at_half(nothing) == PrecisionRecall(precision=None, recall=0.0)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 60))
def test_recall_falls_and_the_average_is_a_share(seed: int, classes: int, rows: int) -> None:
    draw = np.random.default_rng(seed)
    probabilities = draw.dirichlet(np.ones(classes), rows)
    counts = count_probabilities(probabilities, draw.integers(0, classes, rows))
    assert counts.sum() == rows * classes
    precision, recall = precision_recall(counts)
    for index in range(classes):
        if np.isnan(recall[index]).any():
            continue
        assert (np.diff(recall[index]) <= 0).all()
        assert recall[index, 0] == 1.0
        assert 0 <= (average_precision(precision[index], recall[index]) or 0) <= 1 + 1e-12
