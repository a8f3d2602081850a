"""The Prefect flow over a tiny project: states of the tasks, and what ran."""

from pathlib import Path
from typing import Any

import pytest

from flows.dag import read_graph
from flows.pipeline import pipeline, raise_first_failure
from kdtasks.errors import StageError

ROOT = Path(__file__).parents[2]


def task_states(flow_state: Any) -> dict[str, str]:
    """Name of every task run of a flow run, and the name of its state, as the server has them."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(
            flow_run_filter=FlowRunFilter(
                id=FlowRunFilterId(any_=[flow_state.state_details.flow_run_id])
            )
        )
    return {run.name: run.state_name or "" for run in runs}


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_first_run_second_run_failure(
    project: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    names = read_graph(project).stages

    assert pipeline(workers=2, return_state=True).is_completed()
    assert (project / "page").read_text(encoding="utf-8") == "source"
    assert "Running stage 'report':" in caplog.messages  # the output is logged

    second = pipeline(return_state=True)
    assert second.is_completed()
    assert task_states(second) == dict.fromkeys(names, "Cached")

    (project / "source").write_text("new", encoding="utf-8")
    lines = "\\n".join(f"line {number}" for number in range(30))
    (project / "distill.py").write_text(
        f"import sys\nif sys.argv[1] == '1':\n    print('''{lines}''')\n"
        f"    raise SystemExit('out of paper')\nopen('model-0', 'w').write('new')\n"
    )
    failed = pipeline(return_state=True)
    assert failed.is_failed()
    with pytest.raises(StageError) as caught:
        failed.result()
    message = str(caught.value)
    assert "stage distill@1 ended with status 255" in message
    assert "line 29\n" in message
    assert "out of paper" in message
    assert "line 9\n" not in message  # the last 20 lines only
    assert message.endswith("not run: report")
    states = task_states(failed)
    assert (states["prepare"], states["distill@0"], states["distill@1"]) == (
        "Completed",
        "Completed",
        "Failed",
    )
    assert states.get("report", "NotReady") == "NotReady"
    assert (project / "page").read_text(encoding="utf-8") == "source"

    (project / "distill.py").write_text(
        "import shutil, sys; shutil.copy('a', f'model-{sys.argv[1]}')"
    )
    assert pipeline(force=True, return_state=True).is_completed()
    assert (project / "page").read_text(encoding="utf-8") == "new"


def test_no_failure_raises_nothing():
    from prefect.states import Completed

    raise_first_failure({"a": Completed(), "b": Completed(name="Cached")})


def test_a_crash_counts_as_a_failure():
    from prefect.states import Crashed

    with pytest.raises(StageError, match="power cut"):
        raise_first_failure({"a": Crashed(message="power cut")})


def test_the_deployment_names_this_flow_and_is_paused():
    from ruamel.yaml import YAML

    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    (deployment,) = YAML(typ="safe", pure=True).load(text)["deployments"]
    path, _, name = deployment["entrypoint"].partition(":")
    assert (ROOT / path).is_file()
    assert name == pipeline.fn.__name__
    assert set(deployment["parameters"]) == set(pipeline.parameters.properties)
    (schedule,) = deployment["schedules"]
    assert schedule["active"] is False
    assert schedule["cron"]
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
