"""Run flows from the command line: a server, an exit status, errors in one block."""

import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import httpx
from prefect.context import refresh_global_settings_context
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.states import State

from kdtasks.commands.project import find_project
from kdtasks.commands.server import prefect_server
from kdtasks.errors import KdTasksError, ProjectError
from kdtasks.runner.interrupts import stop_signals

SENDING_SECONDS = 10.0  # the last logs and states of a run


def run_from_command_line(run: Callable[[Path], int]) -> None:
    """Run a flow of the current project on the configured server or a temporary one, and exit.

    Arguments:
        run: gives the exit status, as of `run_flow`.
    """
    try:
        project = find_project()
        with stop_signals(), prefect_server(project, wanted=True):
            raise SystemExit(run(project))
    except KdTasksError as error:
        raise SystemExit(f"error: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def run_flow(project: Path, begin: Callable[[], State[Any]]) -> int:
    """Run a flow in this process, against the server that PREFECT_API_URL names by now.

    Arguments:
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
            if not any(isinstance(it, httpx.HTTPError) for it in (error, error.__cause__)):
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
