"""Stacked rows read as the array that they would be."""

from typing import Any

import numpy as np
import pytest

from kdtasks.data.stacked_rows import StackedRows

FIRST, SECOND = np.arange(6).reshape(3, 2), np.arange(10, 18).reshape(4, 2)
WHOLE = np.concatenate([FIRST, SECOND[[3, 1]]])


@pytest.fixture
def rows() -> StackedRows:
    return StackedRows((FIRST, np.array([0, 1, 2])), (SECOND, np.array([3, 1])))


def test_shape_and_size_are_those_of_the_whole(rows: StackedRows):
    assert (len(rows), rows.shape, rows.dtype, rows.nbytes) == (5, (5, 2), WHOLE.dtype, 80)


@pytest.mark.parametrize(
    "chosen", [2, slice(1, 4), slice(None), np.array([4, 0, 3, 3]), np.array([[0, 4], [3, 1]])]
)
def test_rows_are_read_in_any_order(rows: StackedRows, chosen: Any):
    np.testing.assert_array_equal(rows[chosen], WHOLE[chosen])


def test_all_of_it_becomes_an_array(rows: StackedRows):
    np.testing.assert_array_equal(np.array(rows), WHOLE)
    assert np.asarray(rows, np.float32).dtype == np.float32


def test_stacks_are_stacked(rows: StackedRows):
    both = StackedRows((rows, np.array([4, 0])), (FIRST, np.array([1])))
    np.testing.assert_array_equal(both[:], np.stack([WHOLE[4], WHOLE[0], FIRST[1]]))
