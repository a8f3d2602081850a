"""How far a long piece of work has come: a line every few seconds, and an event."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from kdtasks.core.events import ProgressEvent, emit
from kdtasks.core.text import duration

T = TypeVar("T")
# Seconds between two lines; what is done sooner says nothing.
_QUIET = 5.0


def with_progress(
    done: Iterable[T], total: int, doing: str, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[T]:
    """Pass on what comes, and print how many of `total` images have come, and the time left.

    Args:
        doing: a verb, such as `reading`.
        clock: seconds.
    """
    began = last = clock()
    for number, item in enumerate(done, 1):
        yield item
        now = clock()
        if now - last < _QUIET:
            continue
        last, speed = now, number / (now - began)
        emit(ProgressEvent(number, total, "image", round(speed, 1)))
        left = duration((total - number) / speed)
        print(f"{doing}: {number:,} of {total:,}  {speed:,.0f} images/s  {left} left", flush=True)
