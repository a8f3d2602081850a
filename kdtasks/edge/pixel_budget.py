"""How much is decoded at once: pixels, whatever the number of threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelBudget:
    """Lets threads decode while the pixels of all of them together are within a number.

    Whoever comes first goes first, so a large image waits for small ones before it, and not for
    those behind it. An image that is larger than the whole budget goes alone.
    """

    def __init__(self, most: int) -> None:
        """Args: `most` pixels at once."""
        self._most, self._free = most, most
        self._door = threading.Lock()  # held by the one who waits
        self._freed = threading.Condition()

    @contextmanager
    def held(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for so many pixels, and hold it during the block."""
        taken = min(pixels, self._most)
        with self._door, self._freed:
            self._freed.wait_for(lambda: self._free >= taken)
            self._free -= taken
        try:
            yield
        finally:
            with self._freed:
                self._free += taken
                self._freed.notify_all()
