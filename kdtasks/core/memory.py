"""Have the C library give freed memory back to the system; glibc keeps much of it by itself."""

import ctypes
from contextlib import suppress

_LARGE = 1 << 20  # bytes; smaller made reading bodies several times slower
_MMAP_THRESHOLD = -3  # of glibc's mallopt

# Other C libraries have no such functions.
_missing = suppress(TypeError, AttributeError, OSError)


def give_back_large() -> None:
    """Give back what is large as soon as it is freed; else the limit grows up to 32 MB."""
    with _missing:
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


def give_back_all() -> None:
    """Give back all that is free now: what is small keeps its place, among what is still used."""
    with _missing:
        ctypes.CDLL(None).malloc_trim(0)
