"""The cores of a worker, shared by the stages that run there at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.runner.graph import IsCancelled

POLL_SECONDS = 0.2


class CorePool:
    """Lets stages in as far as the cores reach, whatever the number of Dask's threads.

    Dask sends a worker as many tasks as it has threads, and counts a task that has seceded no more.
    So a stage secedes as soon as there is room for another one of its kind.
    """

    def __init__(self) -> None:
        self._threads: list[int] = []  # of each stage that runs
        self._changed = threading.Condition()

    @contextmanager
    def taken(
        self, threads: int, cores: int, is_cancelled: IsCancelled
    ) -> Iterator[Callable[[], None]]:
        """Hold room for a stage in the block; one that needs more than there is runs alone.

        Args:
            threads: of the stage.
            cores: of the worker.

        Yields: a function that lets another in where there is room, to be called now and then.

        Raises:
            SweepError: the run was stopped while the stage waited.
        """

        def has_room() -> bool:
            return not self._threads or sum(self._threads) + threads <= cores

        with self._changed:
            while not has_room():
                if is_cancelled():
                    raise SweepError("stopped")
                self._changed.wait(POLL_SECONDS)
            self._threads.append(threads)
        has_seceded = False

        def let_another_in() -> None:
            nonlocal has_seceded
            if not has_seceded and has_room():
                from distributed import secede

                has_seceded = True
                secede()

        try:
            yield let_another_in
        finally:
            with self._changed:
                self._threads.remove(threads)
                self._changed.notify_all()
