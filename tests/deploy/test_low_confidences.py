import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from kdtasks.deploy.low_confidences import find_low_confidences

COUNTS = st.lists(st.integers(0, 200), min_size=10, max_size=10).filter(any)


def test_by_hand():
    # The only bound is 0.5. Of 7 answers 3 lie below it, all among the 4 observed: as many of the
    # C(7, 4) = 35 choices of 4 as there are of the one more, 4.
    found = find_low_confidences([0, 3], [3, 1])
    assert found is not None
    assert found == (0.5, 3, 0.0, pytest.approx(4 / 35))


def test_bounds_are_corrected_for():
    # At 0.8 and 0.9 alike 5 lie below, at 0.9 one more of the reference.
    reference, observed = [0] * 8 + [1, 19], [0] * 7 + [5, 0, 15]
    found = find_low_confidences(reference, observed)
    assert found is not None
    assert (found.bound, found.below, found.expected) == (0.8, 5, 0.0)
    once = fisher_exact([[5, 15], [0, 20]], alternative="greater").pvalue
    assert found.p_value == pytest.approx(2 * once)


def test_nothing_where_no_bound_lies_in_the_tail():
    assert find_low_confidences([0, 0, 50], [0, 0, 500]) is None
    assert find_low_confidences([60, 40], [60, 40]) is None  # more than half are no tail
    assert find_low_confidences([0, 1000], [1, 999]) is None  # 1 of 2,000


@given(COUNTS, COUNTS)
def test_what_is_said_fits_the_counts(reference: list[int], observed: list[int]):
    found = find_low_confidences(reference, observed)
    if found is None:
        return
    below = round(10 * found.bound)
    assert found.below == sum(observed[:below])
    assert found.expected * sum(reference) == pytest.approx(sum(reference[:below]) * sum(observed))
    assert 0 <= found.p_value <= 1


@pytest.mark.parametrize("images", [25, 400])
def test_p_values_are_no_smaller_than_chance_makes_them(images: int):
    generator = np.random.default_rng(images)
    shares, trials = np.array([0, 0, 0.02, 0.03, 0.05, 0.05, 0.05, 0.1, 0.2, 0.5]), 4000
    found = [
        find_low_confidences(
            generator.multinomial(images, shares), generator.multinomial(500, shares)
        )
        for _ in range(trials)
    ]
    small = sum(low.p_value <= 0.05 for low in found if low)
    assert small <= 0.05 * trials + 4.8 * (0.05 * 0.95 * trials) ** 0.5  # once in a million
