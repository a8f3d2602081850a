"""The Prefect flow of a sweep: every point a task, the comparison a table."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.sweep import sweep

pytestmark = pytest.mark.usefixtures("warm_commands")


@pytest.fixture
def swept_project(committed_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which nothing has run; also the current folder."""
    folder = tmp_path / "swept"
    shutil.copytree(committed_project, folder, symlinks=True)
    for name in ("TRACE", "BREAK", "HOLD"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(folder)
    return folder


def table_of(key: str) -> Any:
    """The newest table artifact of a key, and its description."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey

    wanted = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=[key]))
    with get_client(sync_client=True) as client:
        (artifact,) = client.read_latest_artifacts(artifact_filter=wanted)
    return json.loads(str(artifact.data)), artifact.description


@pytest.mark.slow
def test_every_point_is_a_task_and_the_comparison_a_table(
    swept_project: Path, prefect_server: str, task_states: Callable[..., Any]
):
    settings = ["distill.alpha=0.1,0.9"]
    Path(os.environ["BREAK"]).touch()
    first: Any = sweep(settings, seeds=3, return_state=True)
    assert first.is_failed()
    assert "alpha=0.9: stage distill@0 ended with status 1" in first.message
    states = task_states(first.state_details.flow_run_id, 3)
    assert {name: state.name for name, state in states.items()} == {
        "shared by all points": "Completed",
        "alpha=0.1": "Completed",
        "alpha=0.9": "Failed",
    }

    Path(os.environ["BREAK"]).unlink()
    second: Any = sweep(settings, seeds=3, return_state=True)
    assert second.is_completed()
    assert "distillation helps at 1 and hurts at 1" in second.message
    states = task_states(second.state_details.flow_run_id, 2)
    assert {name: state.name for name, state in states.items()} == {
        "alpha=0.1": "Cached",
        "alpha=0.9": "Completed",
    }
    rows, description = table_of("swept-sweep")
    assert [(row["point"], row["verdict"]) for row in rows] == [
        ("alpha=0.1", "helps"),
        ("alpha=0.9", "hurts"),
    ]
    (page,) = (swept_project / "report").glob("sweep-*/index.html")
    assert page.as_uri() in description
    # the pipeline of the project may run meanwhile: its note is another
    assert not (swept_project / ".kdtasks" / "flow-run").exists()


def test_a_grid_that_makes_no_sense_is_a_failure_in_words(swept_project: Path, prefect_server: str):
    state: Any = sweep(["distill.alpah=1"], return_state=True)
    assert state.is_failed()
    assert "did you mean 'alpha'" in state.message
    shutil.rmtree(swept_project / ".git")
    state = sweep(["distill.alpha=1"], return_state=True)
    assert state.is_failed()
    assert "is in no git repository" in state.message
