"""What a run and its stages tell as events, whoever watches and whatever goes wrong."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.core.events import (
    Event,
    MessageEvent,
    ProgressEvent,
    SpanEvent,
    StageEvent,
    emit,
    tail,
)
from kdtasks.orchestrate.runner.execute import RunOptions, execute
from kdtasks.orchestrate.runner.files import (
    EVENTS,
    events_path,
    first_failure,
    run_events,
)
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageGraph, StageNode, StageState
from kdtasks.orchestrate.runner.scheduler import Scheduler

STAGES = """\
stages:
  tell:
    cmd: python tell.py
    deps: [tell.py]
    outs: [told]
  next:
    cmd: cp told next
    deps: [told]
    outs: [next]
"""
TELL = """\
from pathlib import Path
from kdtasks.core.events import MessageEvent, ProgressEvent, emit
emit(ProgressEvent(1, 2, 'epoch', 5.0))
Path('told').touch()
"""
FAIL = "emit(MessageEvent('failed', 'out of\\npaper'))\nraise SystemExit(3)\n"


def read(file: Path) -> list[Event]:
    """The events of a file, but for what the clock gave them; spans are nothing else."""
    untimed: list[Event] = []
    for event in tail(file)[0]:
        event = replace(event, time=0.0)
        if not isinstance(event, SpanEvent):
            untimed.append(replace(event, seconds=0.0) if isinstance(event, StageEvent) else event)
    return untimed


def stage(name: str, state: StageState) -> StageEvent:
    return StageEvent(name, state, 0.0, time=0.0)


class OneStage:
    """An engine whose only stage ends with the given outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def survey(self) -> frozenset[str]:
        return frozenset()

    def bring_up_to_date(
        self, name: str, on_line: OnLine, is_cancelled: Callable[[], bool]
    ) -> Outcome:
        on_line("begun")
        return self.outcome


def run(outcome: Outcome, reporter: Any, folder: Path, events: Path) -> None:
    """Run the stage a@0, and b that needs it."""
    graph = StageGraph.of([StageNode("a@0"), StageNode("b", needs=("a@0",))])
    engine = OneStage(outcome)
    Scheduler(graph, engine, reporter, workers=1, cores=1, logs=folder, events=events).run()


def test_an_event_stands_there_before_the_reporter_hears_of_it(tmp_path: Path, silent: Any):
    file = run_events(tmp_path)
    heard: list[list[Event]] = []

    def perform(node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        outcome = work(lambda line: heard.append(read(file)))
        heard.append(read(file))
        return outcome

    silent.perform = perform
    silent.skip = lambda node, outcome: heard.append(read(file))
    run(Outcome(StageState.FAILED, message="no"), silent, tmp_path, file)
    ended = [MessageEvent("failed", "no", time=0.0), stage("a@0", StageState.FAILED)]
    begun = [stage("a@0", StageState.RUNNING)]
    assert heard == [begun, begun + ended, [*begun, *ended, stage("b", StageState.SKIPPED)]]


def test_events_that_cannot_be_written_stop_nothing(tmp_path: Path, silent: Any):
    ended: dict[str, Outcome] = {}
    silent.end = ended.update
    run(Outcome(StageState.FAILED), silent, tmp_path, tmp_path)
    assert [outcome.state for outcome in ended.values()] == [StageState.FAILED, StageState.SKIPPED]


def test_the_first_failure_is_one_line(tmp_path: Path):
    file = tmp_path / "run.jsonl"
    assert first_failure(file) is None
    emit(MessageEvent("warning", "hot"), file)
    emit(MessageEvent("failed", "out of\n  paper"), file)
    emit(MessageEvent("failed", "out of ink"), file)
    assert first_failure(file) == "out of paper"


@pytest.mark.parametrize("engine", ["split", "cli"])
def test_a_run_tells_what_becomes_of_its_stages_and_why_one_failed(
    make_project: Callable[[str, str], Path], silent: Any, engine: Any
):
    project = make_project("telling", STAGES)
    (project / "tell.py").write_text(TELL + FAIL, encoding="utf-8")
    options = RunOptions(engine=engine)
    failed = execute(project, options, silent)["tell"]
    assert failed.message.startswith("stage tell ended with status ")
    assert failed.message.endswith(": out of paper")
    assert read(run_events(project)) == [
        stage("tell", StageState.RUNNING),
        MessageEvent("failed", failed.message, time=0.0),
        stage("tell", StageState.FAILED),
        stage("next", StageState.SKIPPED),
    ]
    told = read(events_path(project / EVENTS, "tell"))
    assert told[0] == ProgressEvent(1, 2, "epoch", 5.0, time=0.0)

    (project / "tell.py").write_text(TELL, encoding="utf-8")
    execute(project, options, silent)
    assert read(run_events(project)) == [
        stage("tell", StageState.RUNNING),
        stage("tell", StageState.COMPLETED),
        stage("next", StageState.RUNNING),
        stage("next", StageState.COMPLETED),
    ]
    assert read(events_path(project / EVENTS, "tell")) == told[:1]

    # nothing of the last run is left, and a stage without a command tells nothing
    execute(project, options, silent)
    assert read(run_events(project))[1::2] == [
        stage("tell", StageState.CACHED),
        stage("next", StageState.CACHED),
    ]
    assert [path.name for path in (project / EVENTS).iterdir()] == ["run.jsonl"]

    shutil.rmtree(project / ".kdtasks")
    dvc = [sys.executable, "-m", "dvc", "repro", "--quiet", "--force"]
    subprocess.run(dvc, cwd=project, check=True)
    assert not (project / ".kdtasks").exists()


def test_a_stage_that_is_killed_and_half_a_line(
    make_project: Callable[[str, str], Path], silent: Any
):
    command = """'printf "{\\"v\\": 1, \\"ki" > $KDTASKS_EVENTS; kill -9 $$'"""
    project = make_project("killed", f"stages:\n  one:\n    cmd: {command}\n    outs: [told]\n")
    outcome = execute(project, RunOptions(), silent)["one"]
    assert outcome.message == "stage one ended with signal 9"
    assert events_path(project / EVENTS, "one").read_text(encoding="utf-8") == '{"v": 1, "ki'
    assert first_failure(run_events(project)) == outcome.message


def test_a_run_that_cannot_begin_tells_why(diamond: Path, silent: Any):
    with pytest.raises(ProjectError, match="'lost' not found"):
        execute(diamond, RunOptions(stages=("lost",)), silent)
    assert "'lost' not found" in (first_failure(run_events(diamond)) or "")


def test_a_name_of_a_stage_is_no_path(tmp_path: Path):
    assert events_path(tmp_path, "below/dvc.yaml:a@0").parent == tmp_path
