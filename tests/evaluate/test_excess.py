"""Tests of what compression changes more: exact, and by hand."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.evaluate.excess import part_p_value, sign_flip_p_value, t_p_value
from kdtasks.evaluate.intervals import mcnemar_p_value


@given(st.lists(st.integers(-3, 3), max_size=9))
def test_the_sign_flip_test_is_exact(values: list[int]) -> None:
    """Against all signs, one by one."""
    sums = np.array(values, np.int64)
    flipped = [abs(int(np.dot(sums, signs))) for signs in product((-1, 1), repeat=len(values))]
    expected = np.mean([each >= abs(int(sums.sum())) for each in flipped])
    assert sign_flip_p_value(sums) == pytest.approx(expected)


@given(st.integers(0, 400), st.integers(0, 400))
def test_of_ones_the_sign_flip_test_is_mcnemars(gained: int, lost: int) -> None:
    sums = np.repeat(np.array([1, -1, 0], np.int64), [gained, lost, 5])
    assert sign_flip_p_value(sums) == pytest.approx(mcnemar_p_value(gained, lost))


@given(
    st.lists(st.tuples(st.integers(-1, 1), st.booleans()), min_size=1, max_size=9),
)
def test_the_test_of_a_part_is_exact(images: list[tuple[int, bool]]) -> None:
    """Against all parts of the same size, one by one."""
    signs = np.array([sign for sign, _ in images], np.int64)
    inside = np.array([part for _, part in images], bool)
    total, size = len(signs), int(inside.sum())

    def statistic(chosen: tuple[int, ...]) -> float:
        sides = signs[list(chosen)], np.delete(signs, list(chosen))
        error = math.sqrt(sum(side.var() / len(side) for side in sides))
        difference = sides[0].mean() - sides[1].mean()
        return round(difference / error, 6) if error else math.copysign(math.inf, difference)

    if size in (0, total) or not signs.any():
        assert part_p_value(signs, inside) == 1
        return
    every = np.array([statistic(chosen) for chosen in combinations(range(total), size)])
    found = statistic(tuple(np.flatnonzero(inside)))
    tails = np.mean(every <= found), np.mean(every >= found)
    assert part_p_value(signs, inside) == pytest.approx(min(1.0, 2 * min(tails)))


@given(st.integers(0, 8), st.integers(1, 9), st.integers(0, 9))
def test_without_gains_the_test_of_a_part_is_fishers(lost: int, size: int, more: int) -> None:
    lost = min(lost, size)
    rest, losses = 12, lost + more
    signs = np.zeros(size + rest, np.int64)
    signs[size - lost : size + more] = -1
    ways = [
        math.comb(losses, k) * math.comb(size + rest - losses, size - k) for k in range(size + 1)
    ]
    tails = sum(ways[: lost + 1]), sum(ways[lost:])
    expected = min(1.0, 2 * min(tails) / math.comb(size + rest, size))
    assert part_p_value(signs, np.arange(size + rest) < size) == pytest.approx(expected)


def test_the_t_test_by_hand() -> None:
    # Mean 2, standard deviation 1, n = 3: t = 2√3, P(|T| > t) = 1 − t / √(2 + t²).
    t = 2 * 3**0.5
    assert t_p_value([1, 2, 3]) == pytest.approx(1 - t / (2 + t**2) ** 0.5)
    assert t_p_value([1, 1, 1]) == 1.0


def test_welchs_test_by_hand() -> None:
    # Both with mean square errors of 1/3: t = −3 / √(2/3), 4 degrees of freedom, as Student's of
    # equal variances; P(|T| > t) = 1 − x (3 − x²) / 2 with x = t / √(4 + t²).
    t = 3 / math.sqrt(2 / 3)
    x = t / math.sqrt(4 + t**2)
    assert t_p_value([1, 2, 3], [4, 5, 6]) == pytest.approx(1 - x * (3 - x**2) / 2)
    # Where one side has no spread it is a single sample's test.
    assert t_p_value([1, 2, 3], [0.0] * 5) == pytest.approx(t_p_value([1, 2, 3]))
    assert t_p_value([1, 1], [1, 1]) == 1.0
