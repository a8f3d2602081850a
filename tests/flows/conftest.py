"""A small DVC project with metrics and plots, and one real Prefect server for the session."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.tools.complete_params import write_params
from tests.tools.dvc_command import init_dvc

ROOT = Path(__file__).parents[2]
# flows/ is a folder of the project, not a part of the installed package
sys.path.insert(0, str(ROOT))

# Seconds between a worker's looks at what there is to do, which are ten.
OFTEN = {
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
}

STAGES = """\
stages:
  prepare:
    cmd: python -c "import shutil; shutil.copy('source', 'a')"
    deps: [source]
    outs: [a]
  train:
    matrix: {seed: [0, 1]}
    cmd: python train.py ${item.seed}
    deps: [a, train.py]
    outs: ["model-${item.seed}"]
    metrics: ["metrics-${item.seed}.json"]
    plots: ["loss-${item.seed}.csv"]
  report:
    cmd: mkdir -p report && echo '{"headline":"two points better"}' > report/selection.json
    deps: [model-0, model-1]
    outs: [report/selection.json]
"""
TRAIN = """\
import json, shutil, sys
from kdtasks.core.events import MetricsEvent, ProgressEvent, emit
seed = sys.argv[1]
print(f'seed {seed}')
emit(MetricsEvent(2, {'loss': 0.25}))
emit(ProgressEvent(2, 2, 'epoch'))
shutil.copy('a', f'model-{seed}')
open(f'metrics-{seed}.json', 'w').write(json.dumps({'test': {'accuracy': [0.5, 0.75]}}))
open(f'loss-{seed}.csv', 'w').write('epoch,loss,accuracy\\n1,0.5,0.5\\n2,0.25,0.75\\n')
"""


@pytest.fixture(scope="session")
def fresh_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, never run. Read only: copy it with `project`."""
    folder = tmp_path_factory.mktemp("fresh") / "project"
    for watched in (
        "data/raw",
        "data/raw-unlabelled",
        "data/slices",
        "models/arm",
        "models/import",
        "models/start",
    ):
        (folder / watched).mkdir(parents=True)
    write_params(folder)
    (folder / "source").write_text("source", encoding="utf-8")
    (folder / "dvc.yaml").write_text(STAGES, encoding="utf-8")
    (folder / "train.py").write_text(TRAIN, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    init_dvc(folder)
    return folder


@pytest.fixture
def project(fresh_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """prepare → train@0, train@1 → report, with complete params; also the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(fresh_project, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def endless_training(project: Path, family: str) -> Path:
    """The project again, up to date but for the trainings, which start a process and do not end."""
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet", "prepare"], check=True)
    (project / "train.py").write_text(family, encoding="utf-8")
    return project


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API URL of a server with a database of its own, its scheduler included."""
    from prefect.context import refresh_global_settings_context
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    from kdtasks.orchestrate.prefect_server import QUIET, is_answering

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **QUIET,
            **OFTEN,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": url,
        }.items():
            patch.setenv(name, value)
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 180
            while not is_answering(url):
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
            refresh_global_settings_context()
            yield url
            APILogWorker.drain_all(timeout=10)
            EventsWorker.drain_all(timeout=10)
        finally:
            server.terminate()
            server.wait()
    refresh_global_settings_context()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Give a function that waits until another returns something true, and returns that."""

    def wait(look: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.2)
        return found

    return wait


@pytest.fixture
def task_states(prefect_server: str, eventually: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function for the states of a flow run's tasks on the server, by stage."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    def read(flow_run_id: UUID, count: int) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            of_this = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
            with get_client(sync_client=True) as client:
                runs = client.read_task_runs(flow_run_filter=of_this)
            states = {run.name: run.state for run in runs if run.state and run.state.is_final()}
            return states if len(states) == count else None

        return eventually(look)

    return read


@pytest.fixture
def start_flow(prefect_server: str, project: Path) -> Iterator[Callable[..., Any]]:
    """Give a function that runs `python -m flows.pipeline` in the project, in the background."""
    processes: list[subprocess.Popen[str]] = []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", *(words or ("flows.pipeline",))]
        processes.append(
            subprocess.Popen(
                command,
                cwd=project,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def newest_run(prefect_server: str) -> Callable[[], Any]:
    """Give a function for the flow run that was started last; scheduled ones do not count."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    started = FlowRunFilter(start_time=FlowRunFilterStartTime(is_null_=False))

    def read() -> Any:
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(
                flow_run_filter=started, sort=FlowRunSort.START_TIME_DESC, limit=1
            )[0]

    return read
