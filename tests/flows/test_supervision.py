"""Runs that are stopped from outside: their stages end, and the server knows how they ended."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flows.pipeline import pipeline
from flows.supervision import supervised
from kdtasks.core.errors import ProjectError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cancel_once_running(
    prefect_server: str, newest_run: Callable[[], Any], eventually: Callable[..., Any]
) -> Callable[[Path], threading.Thread]:
    """Give a function that cancels the run of a project, as the UI does, once a stage runs."""
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelling

    def start(project: Path) -> threading.Thread:
        def cancel() -> None:
            eventually((project / "pids").exists)
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(newest_run().id, Cancelling())

        thread = threading.Thread(target=cancel)
        thread.start()
        return thread

    return start


def test_a_cancellation_on_the_server_stops_a_run_without_a_worker(
    endless_training: Path,
    cancel_once_running: Callable[[Path], threading.Thread],
    wait_until_gone: Callable[[Path], None],
    task_states: Callable[..., Any],
):
    thread = cancel_once_running(endless_training)
    state: Any = pipeline(stages=["report"], workers=1, return_state=True)
    thread.join()
    wait_until_gone(endless_training)
    assert (state.name, state.message) == ("Cancelled", "cancelled on the server")
    states = task_states(state.state_details.flow_run_id, 4)
    assert {name: it.name for name, it in states.items()} == {
        "prepare": "Cached",
        "train@0": "Cancelled",
        "train@1": "Cancelled",
        "report": "Cancelled",
    }


@pytest.mark.parametrize(
    ("number", "status", "name"),
    [(signal.SIGINT, 130, "Cancelled"), (signal.SIGTERM, 130, "Crashed")],
)
def test_a_signal_stops_the_stages_and_the_server_knows(
    endless_training: Path,
    start_flow: Callable[..., subprocess.Popen[str]],
    newest_run: Callable[[], Any],
    eventually: Callable[..., Any],
    wait_until_gone: Callable[[Path], None],
    number: signal.Signals,
    status: int,
    name: str,
):
    process = start_flow()
    eventually((endless_training / "pids").exists)
    process.send_signal(number)
    assert process.wait() == status
    wait_until_gone(endless_training)
    assert newest_run().state.name == name


def test_a_deployed_run_ends_when_its_worker_dies(
    endless_training: Path,
    prefect_server: str,
    eventually: Callable[..., Any],
    wait_until_gone: Callable[[Path], None],
):
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow(pipeline),
            name="orphan",
            entrypoint=f"{ROOT / 'flows' / 'pipeline.py'}:pipeline",
            path=str(endless_training),
        )
        run = client.create_flow_run_from_deployment(deployment)
    # a worker does as much: it starts the engine with the run's id, and is its parent
    start = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'prefect.engine'])"
    worker = subprocess.Popen(
        [sys.executable, "-c", start],
        cwd=endless_training,
        env={**os.environ, "PREFECT__FLOW_RUN_ID": str(run.id), "PYTHONPATH": str(ROOT)},
    )
    try:
        eventually((endless_training / "pids").exists)
    finally:
        worker.kill()
        worker.wait()
    wait_until_gone(endless_training)

    def ended() -> Any:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(str(run.id))).state
        return state if state and state.is_final() else None

    state = eventually(ended)
    assert state.name == "Crashed"
    assert state.message == "the worker that had started this run died, so it was stopped"


def test_an_error_that_the_user_can_mend_is_a_failure_in_one_line(
    project: Path, prefect_server: str
):
    from prefect import flow

    def body() -> Any:
        raise ProjectError("another run is at work")

    @flow(name="mended")
    def mended() -> Any:
        return supervised(body)

    state: Any = mended(return_state=True)
    assert (state.name, state.message) == ("Failed", "another run is at work")
