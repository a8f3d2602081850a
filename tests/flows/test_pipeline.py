"""The Prefect flow over a small project: what the server knows of a run, and what ran."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.pipeline import flow_state, pipeline, run_with_prefect
from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.runner.execute import RunOptions
from kdtasks.orchestrate.runner.graph import Outcome, StageState

NAMES = ["prepare", "train@0", "train@1", "report"]


def artifacts_of(flow_run_id: Any) -> dict[str, Any]:
    """Every artifact of a flow run and of its tasks, by key."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    of_this = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:
        return {str(it.key): it for it in client.read_artifacts(artifact_filter=of_this)}


def logged(flow_run_id: Any, eventually: Callable[..., Any], line: str) -> bool:
    """Whether a line is among the logs of a flow run on the server."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    def look() -> bool:
        of_this = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))
        with get_client(sync_client=True) as client:
            return line in [log.message for log in client.read_logs(of_this)]

    return bool(eventually(look))


@pytest.mark.slow
def test_first_run_second_run_failure_and_on(
    project: Path, task_states: Callable[..., Any], eventually: Callable[..., Any]
):
    first: Any = pipeline(workers=2, return_state=True)
    assert first.is_completed()
    assert first.message == "4 stages: 4 completed"
    run = first.state_details.flow_run_id
    states = task_states(run, 4)
    assert {name: state.name for name, state in states.items()} == dict.fromkeys(NAMES, "Completed")
    assert states["prepare"].message.endswith(" s, 36cd38f49b9afa08222c0dc9ebfe35eb")  # of "source"
    artifacts = artifacts_of(run)
    assert json.loads(artifacts["project-train-1-metrics"].data) == [
        {"file": "metrics-1.json", "metric": "test.accuracy.0", "value": 0.5},
        {"file": "metrics-1.json", "metric": "test.accuracy.1", "value": 0.75},
    ]
    assert "![loss-1.csv](data:image/png;base64," in artifacts["project-train-1-plots"].data
    assert artifacts["project-train-1-training"].data == 100
    assert artifacts["project-train-1-training"].description == "epoch 2: loss 0.25"
    assert artifacts["project-progress"].data == 100
    assert artifacts["project-report"].data.startswith("two points better")
    assert logged(run, eventually, "seed 1")

    second: Any = pipeline(return_state=True)
    assert second.message == "4 stages: 4 cached"
    run = second.state_details.flow_run_id
    assert {state.name for state in task_states(run, 4).values()} == {"Cached"}
    # what has not changed is not attached again: the history of an artifact is that of changes
    assert set(artifacts_of(run)) == {"project-progress", "project-report"}

    (project / "source").write_text("new", encoding="utf-8")
    good = (project / "train.py").read_text(encoding="utf-8")
    lines = "\\n".join(f"line {number}" for number in range(30))
    bad = (
        f"if sys.argv[1] == '1':\n    print('''{lines}''')\n    raise SystemExit('out of paper')\n"
    )
    (project / "train.py").write_text(f"import sys\n{bad}{good}", encoding="utf-8")
    failed: Any = pipeline(return_state=True)
    assert failed.is_failed()
    assert failed.message.startswith("stage train@1 ended with status 1; its last lines:\nline 1")
    assert "line 9\n" not in failed.message  # the last 20 lines only
    assert failed.message.endswith("line 29\nout of paper\nnot run: report")
    run = failed.state_details.flow_run_id
    states = task_states(run, 4)
    assert {name: state.name for name, state in states.items()} == {
        "prepare": "Completed",
        "train@0": "Completed",
        "train@1": "Failed",
        "report": "Skipped",
    }
    assert states["report"].message == "it needs train@1"
    assert states["train@1"].message.endswith("out of paper")
    artifacts = artifacts_of(run)
    assert artifacts["project-progress"].data == 50
    assert "project-report" not in artifacts

    (project / "train.py").write_text(good, encoding="utf-8")
    (project / "source").write_text("source", encoding="utf-8")
    (project / "model-0").unlink()
    restored: Any = pipeline(stages=["train@0"], return_state=True)
    states = task_states(restored.state_details.flow_run_id, 2)
    assert {name: state.name for name, state in states.items()} == dict.fromkeys(
        ["prepare", "train@0"], "Restored"
    )


def test_the_graph_has_the_arrows_of_dvc(
    project: Path, prefect_server: str, eventually: Callable[..., Any]
):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    (project / "train.py").write_text("raise SystemExit(1)", encoding="utf-8")
    state: Any = pipeline(engine="cli", return_state=True)
    of_this = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:
        runs = eventually(
            lambda: (
                runs if len(runs := client.read_task_runs(flow_run_filter=of_this)) == 4 else None
            )
        )
    names = {run.id: run.name for run in runs}
    arrows = {
        run.name: {names[it.id] for it in run.task_inputs.get("wait_for", [])} for run in runs
    }
    # report did not run: at least the one that it could not run because of is shown
    assert arrows.pop("report") & {"train@0", "train@1"}
    assert arrows == {"prepare": set(), "train@0": {"prepare"}, "train@1": {"prepare"}}


def test_the_exit_status_and_one_block_of_words(
    project: Path, prefect_server: str, capsys: pytest.CaptureFixture[str]
):
    assert run_with_prefect(project, RunOptions(stages=("prepare",))) == 0
    assert run_with_prefect(project, RunOptions(stages=("prepair",))) == 1
    captured = capsys.readouterr().err
    assert "error: Stage 'prepair' not found" in captured
    assert "did you mean 'prepare'?" in captured
    assert "Traceback" not in captured


def test_params_are_validated_before_anything_runs(
    project: Path, prefect_server: str, capsys: pytest.CaptureFixture[str]
):
    (project / "params.yaml").write_text("recipe: x", encoding="utf-8")
    assert run_with_prefect(project, RunOptions()) == 1
    assert "seeds: missing" in capsys.readouterr().err
    assert not (project / "a").exists()


def test_a_server_that_has_gone_is_one_line(project: Path):
    from prefect.context import refresh_global_settings_context

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
        patch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
        with pytest.raises(ProjectError, match=r"Failed to reach API .*`kdtasks run --no-prefect`"):
            run_with_prefect(project, RunOptions())
    refresh_global_settings_context()


def test_the_state_of_the_flow_counts_the_stages():
    done, cached = Outcome(StageState.COMPLETED, "abc"), Outcome(StageState.CACHED, "abc")
    state = flow_state({"a": cached, "b": done, "c": cached})
    assert (state.type, state.message) == ("COMPLETED", "3 stages: 2 cached, 1 completed")

    stopped = flow_state({"a": done, "b": Outcome(StageState.CANCELLED, message="it was stopped")})
    assert (stopped.type, stopped.message) == ("CANCELLED", "1 completed, 1 cancelled")

    failed, skipped = (
        Outcome(StageState.FAILED, message="out of paper"),
        Outcome(StageState.SKIPPED),
    )
    state = flow_state({"a": failed, "b": failed, "c": skipped, "d": skipped})
    assert (state.type, state.message) == ("FAILED", "out of paper\nout of paper\nnot run: c, d")


def test_every_parameter_is_described():
    schema = pipeline.parameters.properties
    assert list(schema) == ["stages", "workers", "force", "pull", "engine", "push"]
    assert all(parameter["description"] for parameter in schema.values())
