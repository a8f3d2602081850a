"""Golden values of calibration error and the breakdown by exit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.records.evaluate import Exit
from kdtasks.evaluate.metrics import (
    exit_breakdown,
    expected_calibration_error,
    reliability,
)

LABELS = np.array([0, 1, 2, 1])


def test_calibration_error_worked_by_hand() -> None:
    # Two bins. (0.5, 1]: confidences 0.8 right, 0.6 wrong: |1 − 1.4| = 0.4. (0, 0.5]: 0.4 wrong
    # and 0.4 right: |1 − 0.8| = 0.2. Together 0.6 / 4.
    probabilities = np.array([[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.4, 0.3, 0.3], [0.3, 0.4, 0.3]])
    labels = np.array([0, 1, 1, 1])
    assert expected_calibration_error(probabilities, labels, bins=2) == pytest.approx(0.15)


def test_reliability_worked_by_hand() -> None:
    # The same rows: the bin up to ½ has two of confidence 0.4, one right; the other 0.8 and 0.6.
    probabilities = np.array([[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.4, 0.3, 0.3], [0.3, 0.4, 0.3]])
    low, high = reliability(probabilities, np.array([0, 1, 1, 1]), bins=2)
    assert dict(low) == pytest.approx({"confidence": 0.4, "accuracy": 0.5, "rows": 2})
    assert dict(high) == pytest.approx({"confidence": 0.7, "accuracy": 0.5, "rows": 2})
    only = reliability(probabilities[:2], np.array([0, 1]), bins=2)  # empty bins are left out
    assert only == [high]


def test_calibration_error_puts_a_bins_upper_end_inside() -> None:
    # 0.5 belongs to (0, 0.5]: both rows in other bins, gaps 0.5 and 0.25 do not cancel.
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25]])
    assert expected_calibration_error(probabilities, np.array([0, 1]), bins=2) == pytest.approx(
        (0.5 + 0.75) / 2
    )


def test_calibration_error_of_a_calibrated_model_is_small() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1, 20_000)
    labels = (generator.random(20_000) > confidence).astype(int)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    assert expected_calibration_error(probabilities, labels) < 0.02
    assert expected_calibration_error(probabilities, 1 - labels) > 0.4


def test_breakdown_worked_by_hand() -> None:
    predicted = np.array([[0, 0], [1, 0], [0, 2], [1, 1]])
    assert exit_breakdown(LABELS, predicted, np.array([0, 0, 1, 0])) == (
        Exit(
            reached=1.0,
            exit_rate=0.75,
            accuracy_all=0.75,
            accuracy_reached=0.75,
            accuracy_taken=1.0,
        ),
        Exit(
            reached=0.25,
            exit_rate=0.25,
            accuracy_all=0.75,
            accuracy_reached=1.0,
            accuracy_taken=1.0,
        ),
    )


def test_breakdown_of_an_exit_nobody_reaches() -> None:
    rows = exit_breakdown(LABELS, np.zeros((4, 2), int), np.zeros(4, int))
    assert rows[1].reached == 0
    assert rows[1].accuracy_reached is None
    assert rows[1].accuracy_taken is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 5))
def test_breakdown_adds_up(seed: int, rows: int, exits: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, rows)
    predicted = generator.integers(0, 3, (rows, exits))
    exit_index = generator.integers(0, exits, rows)
    breakdown = exit_breakdown(labels, predicted, exit_index)
    overall = np.mean(predicted[np.arange(rows), exit_index] == labels)
    added = sum(row.exit_rate * (row.accuracy_taken or 0) for row in breakdown)
    assert added == pytest.approx(overall)
    assert sum(row.exit_rate for row in breakdown) == pytest.approx(1)
    assert breakdown[0].reached == 1
