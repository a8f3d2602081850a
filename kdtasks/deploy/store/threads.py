"""Calls in daemon threads: a program that is interrupted ends without waiting for slow servers."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 10

# Seconds between two looks at calls that run. The kernel may hand Ctrl-C to any thread, and Python
# heeds it in the main thread alone, once that runs again: it must never sleep without an end.
_LOOK = 0.2


def result_of(call: Future[R]) -> R:
    """Wait for a call, heeding Ctrl-C meanwhile, and give its result or raise its error."""
    while not wait([call], timeout=_LOOK).done:
        pass
    return call.result()


def in_background(function: Callable[..., R], /, *args: Any, **options: Any) -> Future[R]:
    """Call a function in a thread of its own."""
    future: Future[R] = Future()

    def call() -> None:
        try:
            future.set_result(function(*args, **options))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future


def concurrently(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call a function with every item, several at once; gives the results in the items' order.

    Raises:
        Exception: of a call. No further call was begun after it, and those running have ended.
    """
    calls: list[Future[R]] = []
    running: set[Future[R]] = set()
    try:
        for item in items:
            while len(running) == AT_ONCE:
                done, running = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
                for call in done:
                    call.result()
            calls.append(in_background(function, item))
            running.add(calls[-1])
        return [result_of(call) for call in calls]
    except Exception:
        while wait(running, timeout=_LOOK).not_done:
            pass
        raise


class DaemonThreads(Executor):
    """An executor of such threads; `submit` waits until one is free."""

    def __init__(self, max_workers: int) -> None:
        """Set how many calls run at once."""
        self._free = threading.Semaphore(max_workers)

    def submit(self, function: Callable[..., R], /, *args: Any, **options: Any) -> Future[R]:
        """Call a function in a thread."""
        self._free.acquire()
        future = in_background(function, *args, **options)
        future.add_done_callback(lambda _: self._free.release())
        return future
