"""Arrays one behind the other, without a copy of them."""

from typing import Any

import numpy as np


class StackedRows:
    """Rows of several arrays, which are read when they are asked for, as of one array."""

    def __init__(self, *parts: tuple[Any, np.ndarray]) -> None:
        """Args: each part is an array, or rows stacked before, and the rows that are taken."""
        self._arrays = [array for array, _ in parts]
        self._owner = np.repeat(np.arange(len(parts)), [len(rows) for _, rows in parts])
        self._row = np.concatenate([rows for _, rows in parts])
        self.shape: tuple[int, ...] = (len(self._row), *self._arrays[0].shape[1:])
        self.dtype: np.dtype[Any] = self._arrays[0].dtype

    def __len__(self) -> int:
        return len(self._row)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows together."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read rows into memory; a number, a slice or integers of any shape."""
        rows = np.arange(len(self))[index]
        flat = rows.reshape(-1)
        taken = np.empty((len(flat), *self.shape[1:]), self.dtype)
        for number, array in enumerate(self._arrays):
            here = self._owner[flat] == number
            taken[here] = array[self._row[flat][here]]
        return taken.reshape(*rows.shape, *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read all rows into memory."""
        return self[:].astype(dtype or self.dtype, copy=False)
