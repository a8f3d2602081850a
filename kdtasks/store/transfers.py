"""Run transfers side by side; the first error, or Ctrl-C, stops all of them."""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from kdtasks.store.progress import NoProgress, Progress

T = TypeVar("T")

# Over a fast network a few workers keep the processor busy, and more would stand in their way; over
# a slow one most of them wait, so workers are added for as long as the processor has time left.
_FIRST_WORKERS = 4
WORKERS = 16
_LOOK_SECONDS = 0.2
_BUSY = 0.6  # of one core: Python runs on no more
_LINGER_SECONDS = 1.0


class TransferStopped(Exception):  # noqa: N818  (not an error: another transfer had one)
    """Raised inside a transfer that is to stop."""


class Transfers:
    """Runs functions in threads and passes their progress on.

    The threads are daemons: a program that is interrupted ends at once instead of waiting for
    slow servers. Whatever they do may be cut off anywhere.
    """

    def __init__(self, workers: int = WORKERS, progress: Progress | None = None) -> None:
        """Set how many run at once at most, and where progress is shown."""
        self._workers = workers
        self.progress = progress or NoProgress()
        self._stopping = threading.Event()

    def advance(self, count: int) -> None:
        """Report bytes from a transfer.

        Raises:
            TransferStopped: the transfer is to stop.
        """
        if self._stopping.is_set():
            raise TransferStopped
        self.progress.advance(count)

    def wait(self, seconds: float) -> None:
        """Sleep in a transfer.

        Raises:
            TransferStopped: the transfer is to stop.
        """
        if self._stopping.wait(seconds):
            raise TransferStopped

    def run(self, function: Callable[[T], object], items: Iterable[T]) -> None:
        """Call `function` with every item, several at once, and wait for all.

        Raises:
            Exception: the first one that a call raised; the other calls were stopped.
        """
        waiting = list(items)
        if len(waiting) < 2 or self._workers == 1:
            for item in waiting:
                function(item)
            return
        jobs: queue.SimpleQueue[T] = queue.SimpleQueue()
        for item in waiting:
            jobs.put(item)
        ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                while not self._stopping.is_set():
                    function(jobs.get_nowait())
            except queue.Empty:
                ended.put(None)
            except BaseException as error:
                ended.put(error)
            else:
                ended.put(TransferStopped())

        threads: list[threading.Thread] = []
        most = min(self._workers, len(waiting))

        def start(count: int) -> None:
            for _ in range(min(count, most - len(threads))):
                threads.append(threading.Thread(target=work, daemon=True))
                threads[-1].start()

        try:
            start(_FIRST_WORKERS)
            finished, load = 0, _Load()
            while finished < len(threads):
                try:
                    error = ended.get(timeout=None if len(threads) == most else _LOOK_SECONDS)
                except queue.Empty:
                    if not jobs.empty() and load.share() < _BUSY:
                        start(len(threads))
                    continue
                if error is not None:
                    raise error
                finished += 1
        except BaseException:
            self._stopping.set()
            until = time.monotonic() + _LINGER_SECONDS
            for thread in threads:
                if thread.is_alive():
                    thread.join(max(0.0, until - time.monotonic()))
            raise


class _Load:
    """How busy this process is."""

    def __init__(self) -> None:
        self._last = time.monotonic(), time.process_time()

    def share(self) -> float:
        """Cores in use since the last look."""
        now = time.monotonic(), time.process_time()
        (wall, processor), self._last = self._last, now
        return (now[1] - processor) / max(now[0] - wall, 1e-9)
