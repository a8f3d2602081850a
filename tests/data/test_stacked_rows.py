"""Stacked rows read as the array that they would be."""

import errno
import mmap
import os
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from kdtasks.data import stacked_rows
from kdtasks.data.stacked_rows import (
    StackedRows,
    new_array,
    new_file,
    read_rows,
    rows_of,
    rows_or_blank,
    written_anywhere,
)

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


def test_many_rows_are_read_part_by_part(rows: StackedRows, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stacked_rows, "_PART_BYTES", 32)  # two rows
    chosen = np.array([[4, 0, 3], [3, 1, 2]])
    np.testing.assert_array_equal(rows[chosen], WHOLE[chosen])
    np.testing.assert_array_equal(rows.take(chosen), WHOLE[chosen])


def test_stacks_are_stacked(rows: StackedRows):
    both = StackedRows((rows, np.array([4, 0])), (FIRST, np.array([1])))
    np.testing.assert_array_equal(both[:], np.stack([WHOLE[4], WHOLE[0], FIRST[1]]))


def mapped(path: Path, array: np.ndarray) -> np.ndarray:
    """The same array, memory-mapped."""
    np.save(path, array)
    read: np.ndarray = np.load(path, mmap_mode="r")
    return read


@pytest.mark.parametrize("chosen", [np.array([2, 0, 2]), np.array([[1, 2], [2, 0]])])
def test_rows_of_a_file_are_chosen_without_reading_any(tmp_path: Path, chosen: np.ndarray):
    from_file = rows_of(mapped(tmp_path / "first.npy", FIRST), chosen)
    assert isinstance(from_file, StackedRows)
    assert (from_file.shape, from_file.ndim) == (FIRST[chosen].shape, FIRST[chosen].ndim)
    np.testing.assert_array_equal(from_file, FIRST[chosen])
    np.testing.assert_array_equal(from_file[0], FIRST[chosen][0])
    again = rows_of(from_file, np.array([1, 0]))
    assert isinstance(again, StackedRows)
    np.testing.assert_array_equal(again, FIRST[chosen][[1, 0]])
    np.testing.assert_array_equal(rows_of(FIRST, chosen), FIRST[chosen])


def test_rows_of_a_file_are_read_in_any_order(tmp_path: Path):
    whole = np.random.default_rng(0).integers(0, 256, (50, 3, 999), dtype=np.uint8)
    part = mapped(tmp_path / "whole.npy", whole)[7:]
    for chosen in (np.array([9, 0, 42, 9]), np.array([[3, 1]]), np.int64(5), np.empty(0, np.int64)):
        np.testing.assert_array_equal(read_rows(part, chosen), whole[7:][chosen])


def test_the_system_is_told_of_each_page_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stacked_rows.mmap, "PAGESIZE", 100)
    # rows of 30 bytes from byte 128 on: 0 and 1 touch, 5 shares their second page, 20 does not
    ranges = stacked_rows._page_ranges(128, 30, np.array([20, 5, 0, 1, 5]))
    assert ranges.tolist() == [[100, 188], [200, 308], [700, 758]]


def test_what_is_larger_than_its_limit_is_in_a_file():
    small, large = (new_array((10, 100), np.float32, memory_limit_mb=mb) for mb in (0.004, 0.003))
    assert not isinstance(small, np.memmap)
    assert isinstance(large, np.memmap)
    large[:] = 1.0
    assert large.sum() == 1000


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="macOS")
def test_a_file_is_refused_before_it_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On a full disk the first write to a mapped page would end the process by SIGBUS."""
    taken = Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(os, "posix_fallocate", taken)
    with pytest.raises(OSError, match="No space left"):
        new_array((10, 100), np.float32, memory_limit_mb=0)
    with pytest.raises(OSError, match="No space left"):
        new_file(tmp_path / "array.npy", (10, 100), np.float32)
    header = (tmp_path / "array.npy").stat().st_size - 4000
    assert [call.args[1:] for call in taken.call_args_list] == [(0, 4000), (0, 4000 + header)]
    assert header > 0


def test_a_file_that_was_filled_is_as_saved(tmp_path: Path):
    new_file(tmp_path / "array.npy", FIRST.shape, FIRST.dtype)[:] = FIRST
    np.save(tmp_path / "saved.npy", FIRST)
    assert (tmp_path / "array.npy").read_bytes() == (tmp_path / "saved.npy").read_bytes()


@pytest.mark.parametrize("chosen", [np.array([2, -1, 0]), np.array([[-1, 1], [0, -1]])])
def test_what_is_hidden_is_blank(chosen: np.ndarray):
    expected = np.where((chosen < 0)[..., np.newaxis], 9, FIRST[chosen])
    np.testing.assert_array_equal(rows_or_blank(FIRST, chosen, 9), expected)


def test_a_file_is_written_in_any_order_and_read_ahead_again(monkeypatch: pytest.MonkeyPatch):
    array = new_array((4, 2), np.int64, memory_limit_mb=0)
    advice: list[int] = []
    monkeypatch.setattr(array, "_mmap", Mock(madvise=advice.append))
    with written_anywhere(array):
        array[[3, 0]] = 7
    assert advice == [mmap.MADV_RANDOM, mmap.MADV_NORMAL]
    with written_anywhere(FIRST):
        assert array[:, 0].tolist() == [7, 0, 0, 7]
