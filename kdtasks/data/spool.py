"""Rows that are made one after the other, kept in a file instead of memory."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from kdtasks.data.stacked_rows import in_parts


class Spool:
    """An array that grows, in an unnamed file where temporary files lie (`TMPDIR`).

    The system removes the file once neither this nor its array is used.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `__del__`)
        self._rows = 0
        self._shape: tuple[int, ...] = ()
        self._dtype: np.dtype[Any] = np.dtype(np.uint8)

    def __del__(self) -> None:
        with suppress(OSError):  # of a full disk, which whoever wrote there was told
            self._file.close()

    def extend(self, rows: np.ndarray) -> None:
        """Append rows [n, …]; all are of the shape and type of the first."""
        if not self._rows:
            self._shape, self._dtype = rows.shape[1:], rows.dtype
        self._file.write(rows.astype(self._dtype, copy=False).tobytes())
        self._rows += len(rows)

    def array(self) -> np.ndarray:
        """Map all rows so far: [N, …], read-only."""
        shape = (self._rows, *self._shape)
        self._file.flush()
        if 0 in shape:
            return np.empty(shape, self._dtype)
        return np.memmap(self._file, dtype=self._dtype, mode="r", shape=shape)


def transformed(array: Any, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply what works on each row by itself to an array that need not fit into memory."""
    spool = Spool()
    for part in in_parts(array):
        spool.extend(change(part))
    return spool.array()
