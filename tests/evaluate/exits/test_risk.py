import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from kdtasks.evaluate.exits.guarantee import betting_p_value, p_value, rows_needed

LOSSES = st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=60)
SHARES = st.floats(0.01, 0.6)


def test_binomial_golden_values():
    # No loss in two images: 0.9². At most one: 0.9² + 2 · 0.1 · 0.9.
    for losses, expected in (([0, 0], 0.81), ([0, 1], 0.99), ([1, 1], 1.0)):
        found = p_value("consistency", losses, epsilon=0.1, delta=0.1)
        assert found == pytest.approx(expected)


@given(st.integers(1, 3000), st.floats(0.0, 1.0), SHARES)
def test_binomial_is_the_distribution(rows, share, epsilon):
    lost = int(share * rows)
    found = p_value("consistency", np.arange(rows) < lost, epsilon=epsilon, delta=0.1)
    assert found == pytest.approx(binom.cdf(lost, rows, epsilon), rel=1e-9)


def test_betting_worked_by_hand():
    # ε = 0.2: μ₀ = 0.6, cap 0.9 / 0.4 = 2.25. δ = e⁻²: with two rows the wish is √(2 · 2 / (2 σ²)).
    delta = math.exp(-2)
    # Row 1, loss −1, x = 0: σ² = ¼, wish √8 above the cap; wealth 1 + 2.25 · 0.6 = 2.35.
    # Mean (½ + 0) / 2 = ¼, variance (¼ + 1/16) / 2 = 5/32.
    # Row 2, loss 1, x = 1: wish √(2 · 32 / 5) = 3.58 above the cap; wealth 2.35 · (1 − 0.9).
    assert betting_p_value([-1], epsilon=0.2, delta=delta) == pytest.approx(1 / 2.35)
    assert betting_p_value([-1, 1], epsilon=0.2, delta=delta) == pytest.approx(1 / 2.35)
    # The other way round: 0.1 after row 1, x = 1; variance again 5/32; 0.1 · 2.35 is below 1.
    assert betting_p_value([1, -1], epsilon=0.2, delta=delta) == 1.0
    # Small bets: δ = 0.9, σ² = ¼, ν = √(2 · 0.10536 / (4 · ¼)) = 0.45904; x = ½ gains 0.1 ν.
    # Mean ½, variance ¼ / 2 = ⅛: the second bet is √2 times the first, the third √3 times.
    bet = math.sqrt(2 * math.log(1 / 0.9) / (4 * 0.25))
    wealth = math.prod(1 + 0.1 * bet * math.sqrt(i) for i in (1, 2, 3, 4))
    assert betting_p_value([0] * 4, epsilon=0.2, delta=0.9) == pytest.approx(1 / wealth)


@given(LOSSES, SHARES, SHARES)
def test_p_values_are_shares(losses, epsilon, delta):
    assert 0 < p_value("accuracy_gap", losses, epsilon=epsilon, delta=delta) <= 1
    assert 0 < p_value("consistency", np.abs(losses), epsilon=epsilon, delta=delta) <= 1


@given(LOSSES, SHARES, SHARES)
def test_a_promise_that_is_looser_is_easier_to_certify(losses, epsilon, delta):
    losses = np.abs(losses)
    stricter = p_value("consistency", losses, epsilon=epsilon, delta=delta)
    assert p_value("consistency", losses, epsilon=epsilon + 0.1, delta=delta) <= stricter


@pytest.mark.parametrize("loss_rates", [(0.05, 0.0), (0.15, 0.10), (0.525, 0.475)])
def test_a_bettor_seldom_grows_rich_on_a_broken_promise(loss_rates):
    # The mean loss is just ε = 0.05: a p-value of at most δ may come in a share δ of the trials.
    generator = np.random.default_rng(0)
    lost, won = loss_rates
    losses = generator.choice([1, -1, 0], (2000, 200), p=[lost, won, 1 - lost - won])
    for delta in (0.05, 0.2):
        found = [betting_p_value(row, epsilon=0.05, delta=delta) for row in losses]
        assert np.mean(np.array(found) <= delta) <= binom.ppf(1 - 1e-6, 2000, delta) / 2000


def test_rows_needed_golden_values():
    # ln 0.1 / ln 0.99 = 229.1, ln 0.05 / ln 0.98 = 148.3, and 0.5² is 0.25 itself.
    assert rows_needed("consistency", epsilon=0.01, delta=0.1) == 230
    assert rows_needed("consistency", epsilon=0.02, delta=0.05) == 149
    assert rows_needed("consistency", epsilon=0.5, delta=0.25) == 2
    assert rows_needed("consistency", epsilon=0.99, delta=0.5) == 1


@pytest.mark.parametrize("risk", ["consistency", "accuracy_gap"])
@given(epsilon=SHARES, delta=st.floats(0.01, 0.5))
def test_rows_needed_are_just_enough(risk, epsilon, delta):
    rows = rows_needed(risk, epsilon=epsilon, delta=delta)
    assert rows >= math.log(delta) / math.log(1 - epsilon) - 1e-6
    assert p_value(risk, np.zeros(rows), epsilon=epsilon, delta=delta) <= delta * (1 + 1e-9)
    if rows > 1:
        assert p_value(risk, np.zeros(rows - 1), epsilon=epsilon, delta=delta) > delta
