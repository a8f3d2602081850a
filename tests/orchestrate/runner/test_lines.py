"""A run told line by line, golden."""

from pathlib import Path

import pytest

from kdtasks.orchestrate.runner import lines as lines_module
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageGraph, StageNode, StageState
from kdtasks.orchestrate.runner.lines import LinesReporter

GRAPH = StageGraph.of(
    [
        StageNode("prepare"),
        StageNode("student@0", needs=("prepare",), threads=2),
        StageNode("student@1", needs=("prepare",), threads=2),
        StageNode("report", needs=("student@0", "student@1")),
    ]
)
FAILURE = "stage student@1 ended with status 1; its last lines:\nout of paper"


def trains(on_line: OnLine) -> Outcome:
    for line in ("> python stages/student.py 0", "epoch 1/8  loss 0.5", ""):
        on_line(line)
    return Outcome(StageState.COMPLETED, "99887766554433", 12.3)


def fails(on_line: OnLine) -> Outcome:
    on_line("out of paper")
    return Outcome(StageState.FAILED, seconds=1.25, message=FAILURE)


def test_a_run_from_begin_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    clock = iter([100.0, 305.0])
    monkeypatch.setattr(lines_module.time, "monotonic", lambda: next(clock))
    (tmp_path / "student@1.log").touch()
    reporter = LinesReporter(workers=None, cores=4, logs=tmp_path)
    prepare, student, other, report = GRAPH.nodes.values()
    reporter.begin(GRAPH)
    outcomes = {
        "prepare": reporter.perform(
            prepare, lambda on_line: Outcome(StageState.CACHED, "11223344556677.dir")
        ),
        "student@0": reporter.perform(student, trains),
        "student@1": reporter.perform(other, fails),
        "report": Outcome(StageState.SKIPPED, message="it needs student@1"),
    }
    reporter.skip(report, outcomes["report"])
    reporter.end(outcomes)
    assert capsys.readouterr().out == (
        "4 stages, 4 workers on 4 cores\n"
        "prepare: cached, 11223344\n"
        "student@0: running\n"
        "student@0 | > python stages/student.py 0\n"
        "student@0 | epoch 1/8  loss 0.5\n"
        "student@0 |\n"
        "student@0: completed in 12 s, 99887766\n"
        "student@1: running\n"
        "student@1 | out of paper\n"
        "student@1: failed in 1.2 s, out of paper\n"
        "report: skipped, it needs student@1\n"
        "stage student@1 ended with status 1; its last lines:\n"
        "  out of paper\n"
        f"  log: {tmp_path / 'student@1.log'}\n"
        "4 stages in 3:25: 1 cached, 1 completed, 1 failed, 1 skipped\n"
    )


def test_more_workers_than_fit_are_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    LinesReporter(workers=3, cores=4, logs=tmp_path).begin(GRAPH)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "4 stages, 3 workers on 4 cores"
    assert second.startswith("--workers 3: 4 cores can hold 2 stages of 2 threads")


def test_workers_that_nobody_asked_for_are_not_complained_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    LinesReporter(workers=None, cores=1, logs=tmp_path).begin(GRAPH)
    assert capsys.readouterr().out == "4 stages, 1 worker on 1 core\n"
