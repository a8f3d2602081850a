"""Golden values, ends and coverage of the intervals."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from kdtasks.evaluate.intervals import score_interval, seeds_interval, wilson_interval


def test_wilson_of_eight_in_ten() -> None:
    # z = 1.959964, z² = 3.841459; centre (0.8 + 0.192073) / 1.384146 = 0.716740;
    # half 1.959964 · √(0.016 + 0.009604) / 1.384146 = 0.226577.
    assert wilson_interval(8, 10, 0.95) == pytest.approx((0.490162, 0.943318), abs=1e-6)


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.5, 0.999))
def test_wilson_agrees_with_statsmodels(right: int, wrong: int, confidence: float) -> None:
    assume(right + wrong > 0)
    expected = proportion_confint(right, right + wrong, 1 - confidence, method="wilson")
    found = wilson_interval(right, right + wrong, confidence)
    assert found == pytest.approx(expected, abs=1e-12)


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


def test_ten_lost_and_none_gained_of_a_thousand_is_a_loss() -> None:
    """Taken for independent, 990 and 1,000 of 1,000 would not be told from equal at few rows."""
    low, high = score_interval(0, 10, 1000, 0.95)
    assert low < -0.01 < high < 0


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200), st.floats(0.6, 0.99))
def test_score_interval_holds_the_difference_and_turns_with_it(
    gained: int, lost: int, alike: int, confidence: float
) -> None:
    rows = gained + lost + alike
    assume(rows > 0 and lost < rows and gained < rows)
    found = score_interval(gained, lost, rows, confidence)
    assert found[0] < (gained - lost) / rows < found[1]
    turned = score_interval(lost, gained, rows, confidence)
    assert found == pytest.approx((-turned[1], -turned[0]))
