"""What the head makes of stages that a worker has run, or has not."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdtasks.core.errors import ProjectError, SweepError
from kdtasks.orchestrate.cluster.client import worker_facts
from kdtasks.orchestrate.cluster.stages import ClusterStages, cluster_of
from kdtasks.orchestrate.cluster.worker import Message, WorkRequest, WorkResult, run_stage
from kdtasks.orchestrate.runner.execute import RunOptions, StageCluster, execute
from kdtasks.orchestrate.runner.graph import Outcome, StageState
from tests.orchestrate.runner.conftest import diamond, empty_project, make_project, silent
from tests.tools.complete_params import write_params
from tests.tools.dask_workers import git

__all__ = ["diamond", "empty_project", "make_project", "silent"]  # fixtures

COMPLETED, FAILED, CANCELLED = StageState.COMPLETED, StageState.FAILED, StageState.CANCELLED
LEFT = RunOptions(("left",))  # which needs `first`

Work = Callable[[WorkRequest, Callable[[Message], None]], WorkResult | None]


@pytest.fixture
def project(diamond: Path, tmp_path: Path) -> Path:
    """The project with a remote, which is a folder, in a commit."""
    with (diamond / ".dvc" / "config").open("a", encoding="utf-8") as file:
        file.write(
            f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {tmp_path}/r\n"
        )
    write_params(diamond)
    (diamond / ".gitignore").write_text("/.kdtasks\n/out\n")
    git(diamond, "add", "--all")
    git(diamond, "commit", "--quiet", "--message", "start")
    return diamond


class Messenger:
    """Stands for Dask and its workers."""

    def __init__(self, work: Work) -> None:
        self.work, self.requests = work, list[WorkRequest]()

    def send(
        self, function: object, request: WorkRequest, on_message: Any, is_cancelled: object
    ) -> Any:
        assert function is run_stage
        self.requests.append(request)
        return self.work(request, on_message)


def run(
    project: Path, silent: Any, work: Work, options: RunOptions = LEFT
) -> tuple[Mapping[str, Outcome], list[WorkRequest]]:
    messenger: Any = Messenger(work)
    engine = partial(ClusterStages, messenger=messenger, neighbours={"a": 1}, narrowest=1)
    outcomes = execute(project, options, silent, cluster=StageCluster(engine, 2))
    return outcomes, messenger.requests


def test_what_a_worker_pushed_is_recorded_as_if_it_had_run_here(
    project: Path, silent: Any, tmp_path: Path
):
    remote, hidden = tmp_path / "r", tmp_path / "hidden"

    def versions() -> tuple[bytes, bytes]:
        return (project / "dvc.lock").read_bytes(), (project / "out/left/text").read_bytes()

    (project / "source").write_text("new", encoding="utf-8")
    execute(project, RunOptions(LEFT.stages, push=True), silent)
    expected = versions()
    remote.rename(hidden)
    shutil.rmtree(project / ".dvc" / "cache")
    for path in (project / "dvc.lock", project / "source"):
        path.unlink()
    git(project, "checkout", "--quiet", "source")
    execute(project, RunOptions(LEFT.stages, push=True), silent)  # older outputs: of no use
    assert versions() != expected
    older = (project / "dvc.lock").read_text(encoding="utf-8")
    (project / "source").write_text("new", encoding="utf-8")

    def work(request: WorkRequest, on_message: Callable[[Message], None]) -> WorkResult:
        shutil.copytree(hidden, remote, dirs_exist_ok=True)
        lines = [
            "2 stages",
            "first: pulled",
            f"{request.name} | > sh",
            f"{request.name} |",
            "left: x",
        ]
        on_message(Message(request.name, "p", ["on worker tcp://w:1", *lines], ""))
        return WorkResult(b"", None, {})

    outcomes, requests = run(project, silent, work)
    # the worker's push of `first` brought `left` as well
    assert [request.name for request in requests] == ["first"]
    assert requests[0].lock_text == older
    assert versions() == expected
    assert outcomes["first"].state is COMPLETED
    assert silent.lines["first"][-3:] == ["on worker tcp://w:1", "> sh", ""]
    outcomes, requests = run(project, silent, work)  # again: nothing
    assert not requests


def test_stages_that_end_otherwise(project: Path, silent: Any):
    def fail(request: WorkRequest, on_message: Callable[[Message], None]) -> WorkResult:
        on_message(Message(request.name, "p", ["first | so"], "{}\n"))
        raise SweepError("every worker that ran it died")

    outcomes, _ = run(project, silent, fail)
    first = outcomes["first"]
    assert (first.state, first.message) == (FAILED, "every worker that ran it died")
    assert first.last_lines == ("so",)
    assert (project / ".kdtasks/events/first.jsonl").read_text() == "{}\n"
    outcomes, _ = run(project, silent, lambda request, on_message: None)
    assert [outcome.state for outcome in outcomes.values()] == [CANCELLED, CANCELLED]
    outcomes, _ = run(project, silent, lambda request, on_message: WorkResult(b"", None, {}))
    assert outcomes["first"].message.endswith("a worker ran it, and the DVC remote has nothing")


@pytest.mark.parametrize("described", ["cache: false", "push: false"])
def test_what_measures_time_or_cannot_be_handed_in_runs_here(
    project: Path, silent: Any, described: str
):
    pipeline = project / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8")
    text = text.replace("  first:\n", "  first:\n    meta: {exclusive: true}\n", 1)
    text = text.replace("outs: [out/left]", f"outs: [{{out/left: {{{described}}}}}]")
    pipeline.write_text(text, encoding="utf-8")
    outcomes, requests = run(project, silent, lambda request, on_message: pytest.fail("sent"))
    assert not requests
    assert [outcome.state for outcome in outcomes.values()] == [COMPLETED, COMPLETED]


@pytest.mark.parametrize("how", [{"force": True}, {"engine": "cli"}])
def test_refusals(project: Path, silent: Any, how: dict[str, Any]):
    with pytest.raises(ProjectError, match="--cluster goes together with neither --force nor"):
        run(project, silent, lambda request, on_message: None, RunOptions(**how))


def test_without_a_remote(project: Path, silent: Any):
    (project / ".dvc" / "config").write_text("")
    with pytest.raises(SweepError, match="--cluster needs a DVC remote, through which"):
        run(project, silent, lambda request, on_message: None)


def test_workers_of_other_processors_are_spoken_of():
    def note(*processors: str) -> str:
        facts = {name: worker_facts()._replace(processor=name) for name in processors}
        client: Any = SimpleNamespace(
            run=lambda function, on_error: facts,
            subscribe_topic=lambda topic, on_message: None,
            status="closed",
        )
        with cluster_of(client) as cluster:
            return cluster.note

    here = worker_facts().processor
    assert note(here) == ""
    assert f"here is {here}, the workers have {here} and y-old; a stage's log" in note(
        "y-old", here
    )
    assert "the workers have y-old; " in note("y-old")
