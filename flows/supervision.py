"""Let every flow run end in a state that says how, also when it is stopped from outside."""

import contextvars
import functools
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import typer
from prefect import Flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.context import refresh_global_settings_context
from prefect.events.worker import EventsWorker
from prefect.exceptions import PrefectException, TerminationSignal
from prefect.logging.handlers import APILogWorker
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Completed, Crashed, Failed, State

from kdtasks.core.errors import KdTasksError, ProjectError, StageError
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.prefect_server import prefect_server
from kdtasks.orchestrate.processes import run_streamed, stop_signals
from kdtasks.orchestrate.project.project import DVC, child_environment, find_project
from kdtasks.orchestrate.runner.engine import LAST_LINES

POLL_SECONDS = 2.0
SENDING_SECONDS = 10.0  # the last logs and states of a run
Body = Callable[[], State[None]]


def supervised(body: Body) -> State[None]:
    """Run the body of a flow and return the state that the flow run ends in.

    An error that the user can fix is a failure without a traceback. Ctrl-C, a cancellation on the
    server and the death of the worker stop the body: its stages end with all that they started.
    Prefect itself answers for a signal that the worker, or anybody else, sends.
    """
    with _watched() as ends:
        try:
            return body()
        except KdTasksError as error:
            return Failed(message=str(error))
        except KeyboardInterrupt:
            return Cancelled(message="stopped by a signal, such as that of Ctrl-C")
        except TerminationSignal:
            if not ends:
                raise
            return ends[0]


@contextmanager
def _watched() -> Iterator[list[State[None]]]:
    """Interrupt the main thread as soon as the flow run has to end; the list then holds how."""
    ends: list[State[None]] = []
    over = threading.Event()
    worker = os.getppid()

    def watch() -> None:
        while not over.wait(POLL_SECONDS):
            state = _has_to_end(worker)
            if state and not over.is_set():
                ends.append(state)
                os.kill(os.getpid(), signal.SIGTERM)  # Prefect raises TerminationSignal
                return

    context = contextvars.copy_context()  # of Prefect: its settings, and the flow run
    thread = threading.Thread(target=context.run, args=(watch,), daemon=True)
    if threading.current_thread() is threading.main_thread():  # where signals arrive
        thread.start()
    try:
        yield ends
    finally:
        over.set()
        if thread.is_alive():
            thread.join()


def _has_to_end(worker: int) -> State[None] | None:
    """How the flow run of the context has to end; None while it may go on."""
    if deployment.id:  # a worker cancels its runs itself, and is the parent of their processes
        if os.getppid() != worker:
            return Crashed(message="the worker that had started this run died, so it was stopped")
        return None
    with suppress(httpx.HTTPError, PrefectException), get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(flow_run.id)).state
        if state and state.is_cancelling():
            return Cancelled(message="cancelled on the server")
    return None


def command_line(flow: Flow[..., State[None]]) -> None:
    """Run a flow on the current project with the parameters that the command line gives it.

    It runs on the configured server, or a temporary one; the exit status is as of `run_flow`.
    """

    @functools.wraps(flow.fn)
    def command(**parameters: Any) -> None:
        try:
            project = find_project()
            with stop_signals(), prefect_server(project, needed=True):
                raise SystemExit(run_flow(project, lambda: flow(**parameters, return_state=True)))
        except KdTasksError as error:
            raise SystemExit(f"error: {error}") from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    app()


def run_flow(project: Path, begin: Callable[[], State[Any]]) -> int:
    """Run a flow in this process, against the server that PREFECT_API_URL names by now.

    Args:
        begin: calls the flow and gives the state that it ends in.

    Returns: the exit status: 0; 1 after a failure, printed in one block; 130 if it was stopped.

    Raises:
        ProjectError: the server does not answer any more, or refuses.
    """
    with chdir(project):
        refresh_global_settings_context()
        try:
            state = begin()
        except KeyboardInterrupt:  # before the flow run had begun, or after it had ended
            return 130
        except Exception as error:
            if not any(isinstance(cause, httpx.HTTPError) for cause in (error, error.__cause__)):
                raise
            raise ProjectError(
                f"the Prefect server failed ({error}), so it does not know how this run ended; "
                "`kdtasks run --no-prefect` goes on without it"
            ) from None
        finally:  # the server may be a temporary one
            APILogWorker.drain_all(timeout=SENDING_SECONDS)
            EventsWorker.drain_all(timeout=SENDING_SECONDS)
    if state.is_completed():
        return 0
    if state.is_cancelled():
        return 130
    print(f"error: {state.message}", file=sys.stderr)
    return 1


# DVC alone decides what is up to date: neither Prefect's cache nor its results come in
@task(name="step", cache_policy=NO_CACHE, persist_result=False, task_run_name="{name}")
def run_step(name: str, body: Body) -> Any:
    """Run one step as a task run of its name; what the user can fix is no traceback."""
    try:
        return body()
    except KdTasksError as error:
        return Failed(message=str(error))


def perform(name: str, body: Body) -> str:
    """Run a step inside a flow run.

    Returns: the message of the state that it ended in.

    Raises:
        StageError: it failed, with that message.
    """
    state = run_step(name, body, return_state=True)
    message = state.message or state.name or ""
    if not state.is_completed():
        raise StageError(message)
    return message


def run_dvc(project: Path, words: Sequence[str], *, lock: int) -> State[None]:
    """Run a command of DVC inside a step, its output as logs.

    Args:
        lock: the run lock; as long as something of a killed run is running, it is held.

    Returns: the state that the step ends in.
    """
    log = get_run_logger()
    last_lines: deque[str] = deque(maxlen=LAST_LINES)

    def keep(line: str) -> None:
        last_lines.append(line)
        log.info(line)

    with closing(Guardian(keep_open=[lock])) as guardian:
        status = run_streamed(
            [*DVC, *words],
            folder=project,
            environment=child_environment(),
            on_line=keep,
            guardian=guardian,
        )
    if status != 0:
        said = "\n".join([f"dvc {words[0]} ended with status {status}:", *last_lines])
        return Failed(message=said)
    return Completed(message=last_lines[-1] if last_lines else f"dvc {words[0]}")
