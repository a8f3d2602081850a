import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.deploy.drift import index_by_chance, population_stability_index

COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=10)


def test_by_hand():
    # with half a count more each: 3/4 and 1/4 against 1/4 and 3/4
    found = population_stability_index([1, 0], [0, 1])
    assert found == pytest.approx(2 * 0.5 * math.log(3))


def test_the_same_shares_have_not_moved():
    assert population_stability_index([5, 10, 20], [5, 10, 20]) == 0.0
    assert population_stability_index([500, 1000], [50, 100]) == pytest.approx(0.0, abs=1e-4)


@given(COUNTS, st.data())
def test_it_is_symmetric_and_never_negative(first: list[int], data: st.DataObject):
    second = data.draw(st.lists(st.integers(0, 1000), min_size=len(first), max_size=len(first)))
    index = population_stability_index(first, second)
    assert index >= 0.0
    assert index == pytest.approx(population_stability_index(second, first))


def test_chance_alone_stays_below_the_default_limit():
    """500 answers, and a reference of 360 images: the smallest that the recipes have."""
    generator = np.random.default_rng(0)
    shares = np.array([0, 0, 0, 0.01, 0.02, 0.03, 0.04, 0.1, 0.2, 0.6])
    found = [
        population_stability_index(
            generator.multinomial(360, shares), generator.multinomial(500, shares)
        )
        for _ in range(2000)
    ]
    assert np.mean(found) < (len(shares) - 1) * (1 / 360 + 1 / 500)
    assert np.quantile(found, 0.999) < 0.2


def test_chance_by_hand():
    # the chi-squared of one degree beyond which one case of a thousand lies: 3.2905², of normals
    found = index_by_chance(2, 100, 400, 0.001)
    assert found == pytest.approx(3.2905267**2 * (1 / 100 + 1 / 400))
    assert index_by_chance(1, 100, 400, 0.001) == 0.0  # one range cannot move
    assert index_by_chance(2, 0, 400, 0.001) == math.inf


@pytest.mark.parametrize("rows", [25, 100, 1000])
def test_chance_alone_exceeds_its_bound_once_in_a_thousand_at_most(rows: int):
    generator = np.random.default_rng(1)
    shares = np.array([0, 0, 0, 0.01, 0.02, 0.03, 0.04, 0.1, 0.2, 0.6])
    found = [
        population_stability_index(
            generator.multinomial(rows, shares), generator.multinomial(500, shares)
        )
        for _ in range(5000)
    ]
    beyond = np.count_nonzero(np.array(found) > index_by_chance(len(shares), rows, 500, 0.001))
    assert beyond <= 15  # 5 are expected at most; three times as many in one case of ten thousand
