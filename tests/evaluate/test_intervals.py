"""Golden values, ends and coverage of the intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

from kdtasks.evaluate.intervals import difference_interval, seeds_interval, wilson_interval


def test_wilson_of_eight_in_ten() -> None:
    # z = 1.959964, z² = 3.841459; centre (0.8 + 0.192073) / 1.384146 = 0.716740;
    # half 1.959964 · √(0.016 + 0.009604) / 1.384146 = 0.226577.
    assert wilson_interval(8, 10, 0.95) == pytest.approx((0.490162, 0.943318), abs=1e-6)


def test_wilson_of_none_and_all() -> None:
    # With no success the high end is z² / (n + z²).
    assert wilson_interval(0, 10, 0.95) == pytest.approx((0.0, 3.841459 / 13.841459), abs=1e-6)
    assert wilson_interval(0, 10, 0.95)[0] == 0.0
    assert wilson_interval(10, 10, 0.95)[1] == 1.0


@given(st.integers(1, 500), st.floats(0.5, 0.999), st.data())
def test_wilson_is_symmetric_and_holds_the_share(
    total: int, confidence: float, data: st.DataObject
) -> None:
    correct = data.draw(st.integers(0, total))
    low, high = wilson_interval(correct, total, confidence)
    mirrored_low, mirrored_high = wilson_interval(total - correct, total, confidence)
    assert 0 <= low <= correct / total <= high <= 1
    assert (low, high) == pytest.approx((1 - mirrored_high, 1 - mirrored_low), abs=1e-12)


def test_wilson_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    true_share, draws = 0.9, 4000
    correct = generator.binomial(100, true_share, size=draws)
    ends = {k: wilson_interval(int(k), 100, 0.95) for k in np.unique(correct)}
    covered = sum(ends[k][0] <= true_share <= ends[k][1] for k in correct) / draws
    assert 0.93 < covered < 0.97


def test_seeds_interval_of_three_seeds() -> None:
    # mean 0.95, s = 0.01, t(2) = 4.302653: half = 4.302653 · 0.01 / √3 = 0.024841.
    assert seeds_interval([0.94, 0.95, 0.96], 0.95) == pytest.approx((0.925159, 0.974841), abs=1e-6)


def test_no_interval_without_a_spread() -> None:
    assert seeds_interval([0.94], 0.95) is None
    # The third difference is 0.09999999999999998: rounding is no spread.
    assert seeds_interval([0.1, 0.1, 0.9 - 0.8], 0.95) is None


def test_seeds_interval_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    draws = generator.normal(0.95, 0.01, size=(3000, 3))
    intervals = [seeds_interval(list(row), 0.95) for row in draws]
    covered = sum(low <= 0.95 <= high for low, high in filter(None, intervals)) / len(draws)
    assert 0.935 < covered < 0.965


def test_difference_of_newcombe_example() -> None:
    # Newcombe's table II, case (a): 56/70 − 48/80 = 0.2, method 10 gives 0.0524 … 0.3339.
    first, second = wilson_interval(56, 70, 0.95), wilson_interval(48, 80, 0.95)
    assert difference_interval(0.8, first, 0.6, second) == pytest.approx((0.0524, 0.3339), abs=1e-4)


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.6, 0.99), st.data())
def test_difference_agrees_with_statsmodels(
    first_total: int, second_total: int, confidence: float, data: st.DataObject
) -> None:
    first, second = (data.draw(st.integers(0, total)) for total in (first_total, second_total))
    expected = confint_proportions_2indep(
        first, first_total, second, second_total, method="newcomb", alpha=1 - confidence
    )
    found = difference_interval(
        first / first_total,
        wilson_interval(first, first_total, confidence),
        second / second_total,
        wilson_interval(second, second_total, confidence),
    )
    assert found == pytest.approx(expected, abs=1e-9)
