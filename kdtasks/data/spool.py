"""What is made one after the other, kept in a file instead of memory."""

import copy
import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Self, TypeVar, overload

import numpy as np

from kdtasks.data.stacked_rows import in_parts

T = TypeVar("T")


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

    def __len__(self) -> int:
        return self._rows

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


class SpooledObjects(Sequence[T]):
    """Objects, such as names, that are pickled to files as of `Spool`, and read when asked for."""

    def __init__(self, objects: Iterable[T] = ()) -> None:
        self._content, self._ends = Spool(), Spool()
        self._size = 0
        self._mapped: tuple[memoryview, np.ndarray] | None = None
        self._rows: np.ndarray | None = None
        for each in objects:
            self.append(each)

    def append(self, value: T) -> None:
        """Append an object; not to what `take` chose."""
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        self._size += len(data)
        self._content.extend(np.frombuffer(data, np.uint8))
        self._ends.extend(np.array([self._size]))
        self._mapped = None

    def take(self, rows: np.ndarray) -> Self:
        """Choose objects, int [n], and read none."""
        chosen = copy.copy(self)
        chosen._rows = rows if self._rows is None else self._rows[rows]
        return chosen

    def __len__(self) -> int:
        return len(self._ends) if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._read(index % len(self) if self._rows is None else int(self._rows[index]))

    def __iter__(self) -> Iterator[T]:
        rows = range(len(self)) if self._rows is None else map(int, self._rows)
        return map(self._read, rows)

    def _read(self, row: int) -> T:
        if self._mapped is None:  # not as `np.memmap`, which takes longer to index
            ends = self._ends.array().view(np.ndarray)
            self._mapped = self._content.array().data, ends
        content, ends = self._mapped
        value: T = pickle.loads(content[ends.item(row - 1) if row else 0 : ends.item(row)])
        return value


def chosen(objects: Sequence[T], rows: np.ndarray) -> Sequence[T]:
    """Choose of a sequence, int [n]; of one in a file, nothing is read."""
    if isinstance(objects, SpooledObjects):
        return objects.take(rows)
    return [objects[row] for row in rows.tolist()]
