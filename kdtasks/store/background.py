"""Do something in a thread while others go on, until they need what comes of it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

R = TypeVar("R")


class Background(Generic[R]):
    """A function that is called once, in a thread, and whose result everybody gets.

    A failure is not kept: whoever asks after it has the function called again. The thread is a
    daemon: a program that is interrupted does not wait for it.
    """

    def __init__(self, function: Callable[[], R]) -> None:
        """Name the function; it is not called yet."""
        self._function = function
        self._lock = threading.Lock()
        self._future: Future[R] | None = None

    def start(self) -> None:
        """Begin, unless it has begun or is done."""
        self._begun()

    def result(self) -> R:
        """Wait for the result.

        Raises:
            BaseException: what the function raised.
        """
        return self._begun().result()

    def finish(self) -> None:
        """Wait for the end, if it has begun, whatever comes of it."""
        if self._future:
            self._future.exception()

    def check(self) -> None:
        """Do not wait.

        Raises:
            BaseException: what the function has raised by now.
        """
        if self._future and self._future.done():
            self._future.result()

    def _begun(self) -> Future[R]:
        with self._lock:
            if self._future is None or (self._future.done() and self._future.exception()):
                self._future = Future()
                threading.Thread(target=self._run, args=(self._future,), daemon=True).start()
            return self._future

    def _run(self, future: Future[R]) -> None:
        try:
            future.set_result(self._function())
        except BaseException as error:
            future.set_exception(error)


def in_background(function: Callable[[], R]) -> Callable[[], R]:
    """Start a function in a thread; gives a function that waits for its result or its error."""
    background = Background(function)
    background.start()
    return background.result
