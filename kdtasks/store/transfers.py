"""Run transfers side by side; the first error, or Ctrl-C, stops all of them."""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from kdtasks.store.progress import NoProgress, Progress

T = TypeVar("T")

# More than aws s3 cp has: a worker that hashes or writes sends and receives nothing meanwhile.
WORKERS = 16
_LINGER_SECONDS = 1.0


class TransferStopped(Exception):  # noqa: N818  (not an error: another transfer had one)
    """Raised inside a transfer that is to stop."""


class Transfers:
    """Runs functions in threads and passes their progress on.

    The threads are daemons: a program that is interrupted ends at once instead of waiting for
    slow servers. Whatever they do may be cut off anywhere.
    """

    def __init__(self, workers: int = WORKERS, progress: Progress | None = None) -> None:
        """Set how many run at once, and where progress is shown."""
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

        threads = [
            threading.Thread(target=work, daemon=True)
            for _ in range(min(self._workers, len(waiting)))
        ]
        try:
            for thread in threads:
                thread.start()
            for _ in threads:
                error = ended.get()
                if error is not None:
                    raise error
        except BaseException:
            self._stopping.set()
            until = time.monotonic() + _LINGER_SECONDS
            for thread in threads:
                if thread.is_alive():
                    thread.join(max(0.0, until - time.monotonic()))
            raise
