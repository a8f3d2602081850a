"""Let every flow run end in a state that says how, also when it is stopped from outside."""

import contextvars
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException, TerminationSignal
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Crashed, Failed, State

from kdtasks.errors import KdTasksError

POLL_SECONDS = 2.0


def supervised(body: Callable[[], State[None]]) -> State[None]:
    """Run the body of a flow and return the state that the flow run ends in.

    An error that the user can mend is a failure without a traceback. Ctrl-C, a cancellation on the
    server and the death of the worker stop the body: its stages end with all that they started.
    Prefect itself answers for a signal that the worker, or anybody else, sends.
    """
    with _Watch() as watch:
        try:
            return body()
        except KdTasksError as error:
            return Failed(message=str(error))
        except KeyboardInterrupt:
            return Cancelled(message="stopped by a signal, such as that of Ctrl-C")
        except TerminationSignal:
            if watch.end is None:
                raise
            return watch.end


class _Watch:
    """Interrupts the main thread as soon as the flow run has to end; `end` then says how."""

    def __init__(self) -> None:
        self.end: State[None] | None = None
        self._parent = os.getppid()
        self._is_deployed = deployment.id is not None
        self._flow_run = UUID(flow_run.id)
        self._over = threading.Event()
        # the context carries Prefect's settings
        watch = contextvars.copy_context().run
        self._thread = threading.Thread(target=watch, args=(self._watch,), daemon=True)

    def __enter__(self) -> "_Watch":
        if threading.current_thread() is threading.main_thread():  # where signals arrive
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            # a worker cancels its runs itself, and is the parent of their processes
            self.end = self._without_worker() if self._is_deployed else self._cancelled()
            if self.end and not self._over.is_set():
                os.kill(os.getpid(), signal.SIGTERM)  # Prefect raises TerminationSignal
                return

    def _without_worker(self) -> State[None] | None:
        if os.getppid() == self._parent:
            return None
        return Crashed(message="the worker that had started this run died, so it was stopped")

    def _cancelled(self) -> State[None] | None:
        with suppress(httpx.HTTPError, PrefectException), get_client(sync_client=True) as client:
            state = client.read_flow_run(self._flow_run).state
            if state and state.is_cancelling():
                return Cancelled(message="cancelled on the server")
        return None
