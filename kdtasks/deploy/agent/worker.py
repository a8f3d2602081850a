"""Threads that work in turns: regularly while all is well, ever more seldom while it is not."""

import abc
import logging
import random
import threading

_log = logging.getLogger(__name__)
LONGEST = 900.0  # seconds
_SPREAD = 0.1


class Backoff:
    """Pauses between attempts, each with jitter, so that a fleet does not ask in step."""

    def __init__(self, interval: float, *, longest: float = LONGEST) -> None:
        """Set the usual pause and the longest one after failures, in seconds."""
        self._interval = interval
        self._longest = max(longest, interval)
        self._failures = 0

    def after_success(self) -> float:
        """Give the next pause, about the interval."""
        self._failures = 0
        return self._interval * random.uniform(1 - _SPREAD, 1 + _SPREAD)

    def after_failure(self) -> float:
        """Give the next pause: twice as long with each failure, then cut by up to a half."""
        self._failures = min(self._failures + 1, 32)
        pause = min(self._interval * 2.0**self._failures, self._longest)
        return pause * random.uniform(0.5, 1.0)


class Worker(abc.ABC):
    """Works in turns, in a thread of its own, until it is stopped or the program ends."""

    def __init__(self, thread: str, pause: float) -> None:
        """Set the thread's name, and the seconds before the first turn and after one that fails."""
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=thread, daemon=True)

    @abc.abstractmethod
    def work(self) -> float:
        """Take a turn; gives the seconds until the next one."""

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further turn, and wait for the end of this one."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = self._pause
        while not self._stopping.wait(pause):
            try:
                pause = self.work()
            except Exception:
                _log.exception("a turn of %s failed", self._thread.name)
                pause = self._pause
