import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.data.split import allocate


def test_largest_remainders_get_the_rest() -> None:
    # 10 · (5, 3, 3) / 11 = 4.55, 2.73, 2.73: floors 4, 2, 2, two left for the two of .73.
    assert allocate(10, np.array([5, 3, 3])).tolist() == [4, 3, 3]


def test_a_minimum_is_taken_from_the_largest() -> None:
    assert allocate(10, np.array([98, 1, 1]), 1).tolist() == [8, 1, 1]


def test_a_minimum_above_the_size_means_all() -> None:
    assert allocate(6, np.array([100, 2]), 4).tolist() == [4, 2]


def test_what_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(ValueError, match="7 cannot be allocated between 0 and 6"):
        allocate(7, np.array([3, 3]))


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=8), data=st.data())
def test_adds_up_within_bounds_and_within_one_of_the_exact_share(
    sizes: list[int], data: st.DataObject
) -> None:
    total = data.draw(st.integers(0, sum(sizes)))
    shares = allocate(total, np.array(sizes))
    assert shares.sum() == total
    assert np.all((shares >= 0) & (shares <= sizes))
    assert np.all(np.abs(shares - total * np.array(sizes) / sum(sizes)) < 1)
