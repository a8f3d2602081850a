"""Rows of arrays that may be larger than memory, read from the disk when they are asked for."""

import copy
import hashlib
import io
import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

# What is read at a time of an array that is gone through.
_PART_BYTES = 4_000_000


class StackedRows:
    """Rows of several arrays, which are read when they are asked for, as of one array."""

    def __init__(self, *parts: tuple[Any, np.ndarray]) -> None:
        """Args: each part is an array, or rows stacked before, and the rows that are taken.

        The rows of one part alone may be integers of any shape, which is then this one's.
        """
        self._arrays = [array for array, _ in parts]
        owners = [
            np.full(np.shape(rows), number, np.uint8) for number, (_, rows) in enumerate(parts)
        ]
        self._owner = np.concatenate(owners)
        self._row = np.concatenate([rows for _, rows in parts])

    def __len__(self) -> int:
        return len(self._row)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the whole array."""
        return (*self._row.shape, *self._arrays[0].shape[1:])

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        found: np.dtype[Any] = self._arrays[0].dtype
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of all rows together."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def take(self, index: Any) -> Self:
        """Choose rows, as `[index]` does, and read none."""
        chosen = copy.copy(self)
        chosen._owner, chosen._row = self._owner[index], self._row[index]
        return chosen

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read rows into memory; a number, a slice or integers of any shape."""
        owner, row = np.asarray(self._owner[index]), np.asarray(self._row[index])
        inner = self._arrays[0].shape[1:]
        taken = np.empty((row.size, *inner), self.dtype)
        size = _rows_in_part(self._arrays[0])
        for start in range(0, row.size, size):
            part = slice(start, start + size)
            owners, rows = owner.ravel()[part], row.ravel()[part]
            for number in np.unique(owners):
                mask = owners == number
                taken[part][mask] = read_rows(self._arrays[number], rows[mask])
        return taken.reshape((*row.shape, *inner))

    def __iter__(self) -> Iterator[np.ndarray]:
        for part in in_parts(self):
            yield from part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read all rows into memory."""
        return self[:].astype(dtype or self.dtype, copy=False)


def rows_of(array: Any, rows: Any) -> Any:
    """Choose rows of an array; of one that is not in memory none is read before it is needed.

    Args:
        array: in memory, memory-mapped, or stacked rows.
        rows: integers of any shape.
    """
    if isinstance(array, StackedRows):
        return array.take(rows)
    return StackedRows((array, rows)) if isinstance(array, np.memmap) else array[rows]


def rows_or_blank(array: Any, rows: npt.NDArray[np.integer], blank: int) -> StackedRows:
    """Choose rows as `rows_of` does; in the place of each below 0 stands one full of `blank`."""
    filled = np.full((1, *array.shape[1:]), blank, array.dtype)
    both = StackedRows((array, np.arange(len(array))), (filled, np.zeros(1, np.int64)))
    return both.take(np.where(rows < 0, len(array), rows))


def read_rows(array: Any, rows: Any) -> np.ndarray:
    """Read rows into memory, in any order: `array[rows]`, faster where they are on the disk.

    The system is told of all rows before the first is waited for, so that the disk reads many at
    a time, and of each no more than there is: what it reads ahead by itself is up to a hundred
    times as much as a small image.

    Args:
        array: as of `rows_of`.
        rows: integers of any shape.
    """
    mapped: Any = getattr(array, "_mmap", None)
    if mapped is not None and array.flags.c_contiguous and hasattr(mmap, "MADV_WILLNEED"):
        begin = array.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
        for start, stop in _page_ranges(begin, array[:1].nbytes, np.ravel(rows)).tolist():
            mapped.madvise(mmap.MADV_WILLNEED, start, stop - start)
    return np.asarray(array[rows])


def in_parts(array: Any) -> Iterator[np.ndarray]:
    """Read an array, as of `rows_of`, a part at a time: at least one, which may have no row."""
    size = _rows_in_part(array)
    for start in range(0, max(1, len(array)), size):
        yield np.asarray(array[start : start + size])


def _rows_in_part(array: Any) -> int:
    row_bytes = math.prod(array.shape[1:]) * array.dtype.itemsize
    return max(1, _PART_BYTES // max(1, row_bytes))


def write_rows(path: Path, array: Any) -> str:
    """Write an array, as of `rows_of`, as `np.save` does; gives the file's SHA-256, hex."""
    form = np.lib.format
    described = {"descr": form.dtype_to_descr(array.dtype), "fortran_order": False}
    header = io.BytesIO()
    form.write_array_header_1_0(header, {**described, "shape": array.shape})
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for data in chain([header.getvalue()], (part.tobytes() for part in in_parts(array))):
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def new_array(shape: tuple[int, ...], dtype: Any, *, memory_limit_mb: float) -> np.ndarray:
    """Make an array to be filled, in memory up to a limit in MB (1,000,000 bytes).

    Beyond it the array is in an unnamed file where temporary files lie (`TMPDIR`), which the system
    removes once the array is no longer used.

    Raises:
        OSError: there is no room for that file.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= memory_limit_mb * 1e6:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        _take_room(file, size)
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)


def new_file(path: Path, shape: tuple[int, ...], dtype: Any) -> np.memmap:
    """Make a file as of `np.save`, and map it to be filled; raises as `new_array`."""
    array: np.memmap = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    with path.open("rb+") as file:
        _take_room(file, path.stat().st_size)
    return array


def _take_room(file: IO[bytes], size: int) -> None:
    """Have the disk refuse now: where it is full later, a write to a mapped page ends a process."""
    if hasattr(os, "posix_fallocate"):  # not on macOS
        os.posix_fallocate(file.fileno(), 0, size)


@contextmanager
def written_anywhere(array: np.ndarray) -> Iterator[None]:
    """Let rows be written in any order: of a mapped file nothing is read ahead meanwhile."""
    mapped: Any = getattr(array, "_mmap", None)
    if mapped is None or not hasattr(mmap, "MADV_RANDOM"):
        yield
        return
    mapped.madvise(mmap.MADV_RANDOM)
    try:
        yield
    finally:
        mapped.madvise(mmap.MADV_NORMAL)


def _page_ranges(begin: int, size: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give the pages that rows of `size` bytes lie on, as first and last byte: [ranges, 2]."""
    if not size or not len(rows):
        return np.empty((0, 2), np.int64)
    first = begin + np.unique(rows).astype(np.int64) * size
    start = first // mmap.PAGESIZE * mmap.PAGESIZE
    is_apart = np.ones(len(start), bool)
    is_apart[1:] = start[1:] > (first + size)[:-1]
    last = np.flatnonzero(np.append(is_apart[1:], True))
    return np.stack([start[is_apart], (first + size)[last]], axis=1)
