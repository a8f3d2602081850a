"""How much of each class every image has."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class LabelCounts(NamedTuple):
    """Of each row the images, or labelled pixels, of every class: `kinds[kind_of[row]]`.

    Rows that have the same may share a kind, so that a million images of a thousand classes take
    a thousand rows of a thousand numbers.

    Attributes:
        kinds: int64 [kinds, classes].
        kind_of: int [N].
    """

    kinds: NDArray[np.int64]
    kind_of: NDArray[np.integer]

    def take(self, rows: NDArray[np.integer]) -> "LabelCounts":
        """Keep rows, int [n]."""
        return LabelCounts(self.kinds, self.kind_of[rows])

    def total(self) -> NDArray[np.int64]:
        """Add up all rows: int64 [classes]."""
        return self._rows_by_kind() @ self.kinds

    def having(self) -> NDArray[np.int64]:
        """Count the rows that have something of a class: int64 [classes]."""
        return self._rows_by_kind() @ (self.kinds > 0)

    def of_class(self, label: int) -> NDArray[np.int64]:
        """What each row has of one class: int64 [N]."""
        return self.kinds[:, label][self.kind_of]

    def labelled(self) -> NDArray[np.bool_]:
        """Whether a row has something of any class: bool [N]."""
        return (self.kinds.sum(axis=1) > 0)[self.kind_of]

    def _rows_by_kind(self) -> NDArray[np.int64]:
        return np.bincount(self.kind_of, minlength=len(self.kinds))
