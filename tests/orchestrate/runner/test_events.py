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
from kdtasks.core.events import Event, MessageEvent, ProgressEvent, StageEvent, emit, tail
from kdtasks.orchestrate.runner.events import (
    EVENTS,
    RunRecorder,
    events_path,
    first_failure,
    run_events,
)
from kdtasks.orchestrate.runner.execute import RunOptions, execute
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageNode, State

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
    """The events of a file, but for what the clock gave them."""
    untimed: list[Event] = []
    for event in tail(file)[0]:
        event = replace(event, time=0.0)
        untimed.append(replace(event, seconds=0.0) if isinstance(event, StageEvent) else event)
    return untimed


def stage(name: str, state: State) -> StageEvent:
    return StageEvent(name, state, 0.0, time=0.0)


def test_an_event_stands_there_before_the_reporter_hears_of_it(tmp_path: Path, silent: Any):
    file = run_events(tmp_path)
    heard: list[list[Event]] = []

    def perform(node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        outcome = work(lambda line: heard.append(read(file)))
        heard.append(read(file))
        return outcome

    def work(on_line: OnLine) -> Outcome:
        on_line("begun")
        return Outcome(State.COMPLETED, seconds=2.0)

    silent.perform = perform
    RunRecorder(silent, file).perform(StageNode("a@0"), work)
    begun, ended = stage("a@0", State.RUNNING), stage("a@0", State.COMPLETED)
    assert heard == [[begun], [begun, ended]]
    last = tail(file)[0][-1]
    assert isinstance(last, StageEvent)
    assert last.seconds == 2.0


def test_events_that_cannot_be_written_stop_nothing(tmp_path: Path, silent: Any):
    recorder = RunRecorder(silent, tmp_path)
    outcome = recorder.perform(StageNode("a"), lambda on_line: Outcome(State.FAILED))
    recorder.leave_out(StageNode("b"), Outcome(State.SKIPPED))
    assert outcome.state is State.FAILED


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
        stage("tell", State.RUNNING),
        MessageEvent("failed", failed.message, time=0.0),
        stage("tell", State.FAILED),
        stage("next", State.SKIPPED),
    ]
    told = read(events_path(project / EVENTS, "tell"))
    assert told[0] == ProgressEvent(1, 2, "epoch", 5.0, time=0.0)

    (project / "tell.py").write_text(TELL, encoding="utf-8")
    execute(project, options, silent)
    assert read(run_events(project)) == [
        stage("tell", State.RUNNING),
        stage("tell", State.COMPLETED),
        stage("next", State.RUNNING),
        stage("next", State.COMPLETED),
    ]
    assert read(events_path(project / EVENTS, "tell")) == told[:1]

    # nothing of the last run is left, and a stage without a command tells nothing
    execute(project, options, silent)
    assert read(run_events(project))[1::2] == [
        stage("tell", State.CACHED),
        stage("next", State.CACHED),
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
