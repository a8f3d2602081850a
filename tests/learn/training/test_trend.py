"""The trend of a training, worked by hand, and when it counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdtasks.core.records.training import Trend
from kdtasks.learn.training.trend import LEAST, still_rising, trend_of


def history(*scores: float, name: str = "validation_accuracy") -> list[dict[str, float]]:
    return [{"validation_accuracy": 0.5, name: float(score)} for score in scores]


def test_lines_through_the_second_half_and_the_quarter_before_by_hand():
    # Of thirteen epochs the last six, about their mean of 0.83: −5, 1, −1, 1, −1, 5 hundredths, in
    # epochs −2.5 … 2.5. Slope (12.5 − 1.5 + 0.5 + 0.5 − 1.5 + 12.5) / 17.5 = 1.314286, in six
    # 7.885714. Σ² = 54 − 23² / 17.5 = 23.771429, over four degrees of freedom 5.942857; over 17.5
    # √0.339592 = 0.582745, in six 3.496470.
    # The three before: 0.50, 0.56, 0.50 have slope 0, and Σ² = 4 + 16 + 4 leaves √24 = 4.898979.
    half = (0.78, 0.84, 0.82, 0.84, 0.82, 0.88)
    found = trend_of(history(0, 0.9, 0.1, 0.2, 0.50, 0.56, 0.50, *half))
    assert found == Trend(rise=0.078857, standard_error=0.034965, scatter_before=0.04899)


def test_a_flat_curve_does_not_rise():
    found = trend_of(history(*[0.7] * 12))
    assert found is not None
    assert found.model_dump() == pytest.approx(dict.fromkeys(Trend.model_fields, 0), abs=1e-6)


def test_of_masks_the_mean_iou_counts():
    scores = np.linspace(0.0, 0.99, 12)
    found = trend_of(history(*scores, name="validation_mean_iou"))
    assert found is not None
    assert found.rise == pytest.approx(6 * 0.09)


def test_fewer_than_twelve_epochs_say_nothing():
    assert trend_of(history(*np.linspace(0.1, 0.9, 11))) is None
    assert trend_of(history(*np.linspace(0.1, 0.9, 12))) is not None
    assert trend_of([]) is None


@given(arrays(np.int64, st.integers(12, 40), elements=st.integers(0, 10**6)), st.floats(-1, 1))
def test_the_trend_is_that_of_the_shape_alone(millionths: np.ndarray, shift: float):
    scores = millionths / 1e6  # a history has six digits
    found, moved = trend_of(history(*scores)), trend_of(history(*scores + shift))
    assert found is not None
    assert moved is not None
    assert moved.model_dump() == pytest.approx(found.model_dump(), abs=3e-6)


@pytest.mark.parametrize(
    ("trends", "expected"),
    [
        ([], None),
        ([(0.010, 0.003, 0.0)], 0.010),
        ([(0.010, 0.0034, 0.0)], None),  # less than three standard errors
        ([(LEAST, 0.0, 0.0)], LEAST),
        ([(LEAST - 1e-6, 0.0, 0.0)], None),
        ([(-0.010, 0.001, 0.0)], None),
        ([(0.010, 0.001, 0.0101)], None),  # no more than a falling learning rate may give
        # Three runs alike: the error of the mean is 0.005 / √3 = 0.0029, the scatter before is not
        # that of a mean.
        ([(0.010, 0.005, 0.0)] * 3, 0.010),
        ([(0.010, 0.006, 0.0)] * 3, None),
        ([(0.010, 0.001, 0.0101)] * 3, None),
        # The seeds' spread is 0.006, more than the scatter of each; over √3 that is 0.0035.
        ([(0.004, 0.001, 0.0), (0.010, 0.001, 0.0), (0.016, 0.001, 0.0)], None),
        ([(0.005, 0.001, 0.0), (0.010, 0.001, 0.0), (0.015, 0.001, 0.0)], 0.010),
    ],
)
def test_a_rise_counts_beyond_half_a_point_and_all_noise(
    trends: list[tuple[float, float, float]], expected: float | None
):
    found = still_rising([Trend(rise=a, standard_error=b, scatter_before=c) for a, b, c in trends])
    assert found == (None if expected is None else pytest.approx(expected))
