"""prefect.yaml as a user deploys it: schedules, a worker, a cancellation."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from flows.drift import EVENT, tell_prefect
from kdtasks.core.errors import ProjectError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def deployments() -> dict[str, Any]:
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    return {it["name"]: it for it in YAML(typ="safe", pure=True).load(text)["deployments"]}


def test_every_deployment_names_a_flow_and_its_parameters(deployments: dict[str, Any]):
    assert list(deployments) == ["pipeline", "refresh", "sweep"]
    for deployment in deployments.values():
        path, _, name = deployment["entrypoint"].partition(":")
        flow = getattr(import_module(path.removesuffix(".py").replace("/", ".")), name)
        assert set(deployment["parameters"]) == set(flow.parameters.properties)
        flow.validate_parameters(deployment["parameters"])
        assert deployment["description"]
        assert deployment["concurrency_limit"]["limit"] == 1
        assert deployment["work_pool"]["name"] == "kdtasks"


def test_the_night_and_the_week_are_scheduled(deployments: dict[str, Any]):
    crons = {
        name: [schedule["cron"] for schedule in deployment.get("schedules", [])]
        for name, deployment in deployments.items()
    }
    assert crons == {"pipeline": [], "refresh": ["0 2 * * *"], "sweep": ["0 4 * * 6"]}


def test_drift_is_waited_for(deployments: dict[str, Any]):
    from prefect.events import DeploymentEventTrigger

    (trigger,) = deployments["refresh"]["triggers"]
    assert DeploymentEventTrigger.model_validate(trigger).expect == {EVENT}
    assert trigger["match"] == {"prefect.resource.id": "kdtasks.model.*"}


def test_a_server_that_takes_no_event_is_one_line(monkeypatch: pytest.MonkeyPatch):
    from prefect.context import refresh_global_settings_context

    with monkeypatch.context() as patch:
        patch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
        with pytest.raises(ProjectError, match="the Prefect server did not take the event"):
            tell_prefect("digits", {})
    refresh_global_settings_context()


@pytest.mark.slow
def test_deploy_then_runs_are_scheduled_then_a_worker_runs_one_and_cancels_it(
    endless_training: Path,
    prefect_server: str,
    task_states: Callable[..., Any],
    eventually: Callable[..., Any],
    wait_until_gone: Callable[[Path], None],
    start_flow: Callable[..., subprocess.Popen[str]],
):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
    from prefect.client.schemas.objects import StateType
    from prefect.states import Cancelling

    shutil.copytree(ROOT / "flows", endless_training / "flows")
    shutil.copy(ROOT / "prefect.yaml", endless_training)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PWD": str(endless_training)}

    def prefect(*words: str) -> None:
        command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
        subprocess.run(command, cwd=endless_training, env=environment, check=True)

    prefect("work-pool", "create", "kdtasks", "--type", "process")
    prefect("deploy", "--all")

    with get_client(sync_client=True) as client:

        def scheduled(name: str) -> list[Any]:
            of_this = DeploymentFilterId(any_=[client.read_deployment_by_name(name).id])
            runs = client.read_flow_runs(deployment_filter=DeploymentFilter(id=of_this))
            return [run for run in runs if run.state_type is StateType.SCHEDULED]

        # a broken scheduler says so in the server's log alone
        assert eventually(lambda: scheduled("refresh/refresh"))
        assert eventually(lambda: scheduled("sweep/sweep"))

        # drift that somebody tells of starts a refresh, beside those of the schedule
        tell_prefect("digits", {"version": 1, "sentence": "exits have drifted"})
        started = eventually(
            lambda: [run for run in scheduled("refresh/refresh") if not run.auto_scheduled]
        )
        assert len(started) == 1
        assert started[0].created_by.display_value == "refresh on drift"
        assert started[0].parameters["publish"] is True  # as the deployment says
        client.delete_flow_run(started[0].id)

        start_flow("prefect", "worker", "start", "--pool", "kdtasks", "--limit", "1")
        deployed = client.read_deployment_by_name("pipeline/pipeline")
        run = client.create_flow_run_from_deployment(deployed.id)
        eventually((endless_training / "pids").exists)
        client.set_flow_run_state(run.id, Cancelling())
        wait_until_gone(endless_training)
        assert eventually(lambda: client.read_flow_run(run.id).state_name == "Cancelled")
        states = task_states(run.id, 4)
    assert {state.name for state in states.values()} == {"Cached", "Cancelled"}
