"""A generator whose numbers are known, for values that are worked out by hand."""

from typing import Any

import numpy as np


class Known(np.random.Generator):
    """Gives the numbers that it was made with, whatever is asked for."""

    def __init__(self, *, uniform: float = 1.0, random: float = 0.0, beta: float = 0.5) -> None:
        """Say what it gives.

        Args:
            uniform: where between the lowest and the highest value, 0 … 1.
            random, beta: the very numbers.
        """
        super().__init__(np.random.PCG64(0))
        self._uniform, self._random, self._beta = uniform, random, beta

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Give a number between two."""
        return np.full(size, low + self._uniform * (high - low))

    def random(self, size: Any = None, *_: Any, **__: Any) -> Any:
        """Give a fraction."""
        return np.full(size, self._random)

    def beta(self, a: Any, b: Any, size: Any = None) -> Any:
        """Give a fraction."""
        return np.full(size, self._beta)

    def integers(self, low: Any, high: Any = None, size: Any = None, *_: Any, **__: Any) -> Any:
        """Give sevens."""
        return np.full(size, 7, np.uint8)

    def standard_normal(self, size: Any = None, *_: Any, **__: Any) -> Any:
        """Give ones, which are a standard deviation."""
        return np.ones(size, np.float32)

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """Leave the order."""
        return np.asarray(x)
