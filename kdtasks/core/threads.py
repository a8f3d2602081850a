"""Work in threads, with results in the order of what was asked."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from kdtasks.core.reproducibility import pinned_threads

T = TypeVar("T")
R = TypeVar("R")
# Results that may wait, for each thread, until it is their turn.
_AHEAD = 4


def in_order(
    work: Callable[[T], R], items: Iterable[T], *, threads: int | None = None
) -> Iterator[R]:
    """Do work on items, a few ahead of what was taken; what it raises is raised in its place.

    Args:
        work: has to give the interpreter free, as decoding does, or threads gain nothing.
        items: taken one by one.
        threads: None for those that the process is pinned to.

    Yields:
        one result an item, in the order of the items, whatever the number of threads.
    """
    threads = threads or pinned_threads()
    if threads == 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) == _AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # after Ctrl-C what has begun ends, and no more begins
        pool.shutdown(wait=False, cancel_futures=True)
