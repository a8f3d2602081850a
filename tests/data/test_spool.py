"""What is kept in a file is the array that it would be in memory, byte for byte."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kdtasks.data import stacked_rows
from kdtasks.data.spool import Spool, SpooledObjects, chosen, transformed
from kdtasks.data.stacked_rows import StackedRows, in_parts, write_rows

ROWS = np.random.default_rng(0).integers(0, 256, (7, 3, 2), dtype=np.uint8)


def test_rows_become_one_array_as_they_come():
    spool = Spool()
    for rows in (ROWS[:1], ROWS[1:1], ROWS[1:5], ROWS[5:].astype(np.int64)):
        spool.extend(rows)
    array = spool.array()
    assert isinstance(array, np.memmap)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, ROWS)


def test_no_rows_keep_their_shape():
    spool = Spool()
    spool.extend(ROWS[:0])
    assert spool.array().shape == (0, 3, 2)


def test_a_full_disk_is_told_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.TemporaryFile", partial(open, "/dev/full", "w+b"))
    spool = Spool()
    spool.extend(ROWS)
    with pytest.raises(OSError, match="No space left"):
        spool.array()
    spool.__del__()


def test_parts_are_the_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stacked_rows, "_PART_BYTES", 20)  # three rows of six
    parts = list(in_parts(StackedRows((ROWS, np.arange(7)))))
    assert [len(part) for part in parts] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(parts), ROWS)
    np.testing.assert_array_equal(list(StackedRows((ROWS, np.arange(7)))), ROWS)
    np.testing.assert_array_equal(transformed(ROWS, lambda part: part // 2), ROWS // 2)
    assert [part.shape for part in in_parts(ROWS[:0])] == [(0, 3, 2)]


@pytest.mark.parametrize(
    "array", [ROWS, ROWS[:0], ROWS[:, 0, 0].astype(np.float32), ROWS[::2, ::2]]
)
def test_a_file_written_in_parts_is_that_of_numpy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: np.ndarray
):
    monkeypatch.setattr(stacked_rows, "_PART_BYTES", 10)
    np.save(tmp_path / "whole.npy", np.ascontiguousarray(array))
    expected = (tmp_path / "whole.npy").read_bytes()
    for rows in (array, StackedRows((array, np.arange(len(array))))):
        digest = write_rows(tmp_path / "parts.npy", rows)
        assert (tmp_path / "parts.npy").read_bytes() == expected
        assert digest == hashlib.sha256(expected).hexdigest()


def test_objects_are_read_back_when_asked_for():
    names = ["a", "", "é\udcff", "a" * 5000]
    spooled = SpooledObjects(names)
    assert (len(spooled), list(spooled), spooled[-1], spooled[1:3]) == (
        4,
        names,
        names[3],
        names[1:3],
    )
    with pytest.raises(IndexError):
        spooled[4]
    spooled.append("last")
    assert list(spooled) == [*names, "last"]


def test_objects_are_taken_by_rows_and_from_what_was_taken():
    taken = SpooledObjects("abcd").take(np.array([3, 1, 1]))
    assert (list(taken), taken[0], len(taken)) == (["d", "b", "b"], "d", 3)
    assert list(taken.take(np.array([2, 0]))) == ["b", "d"]
    assert list(SpooledObjects[str]().take(np.array([], int))) == []


def test_a_sequence_in_memory_is_chosen_from_alike():
    rows = np.array([2, 0])
    assert list(chosen(("a", "b", "c"), rows)) == list(chosen(SpooledObjects("abc"), rows))
