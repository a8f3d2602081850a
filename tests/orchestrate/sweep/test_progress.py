"""A sweep told line by line."""

from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.events import StageEvent, emit
from kdtasks.orchestrate.runner.files import run_events
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageState
from kdtasks.orchestrate.sweep.plan import SweepOptions, SweepPlan, plan_sweep
from kdtasks.orchestrate.sweep.summary import SweepProgress, introduction


@pytest.fixture
def plan(project: Path) -> SweepPlan:
    return plan_sweep(project, SweepOptions(("distill.alpha=0.1,0.5",), seeds=1))


def work(outcome: Outcome) -> Any:
    return lambda on_line: outcome


def test_only_stages_that_ran_are_told(plan: SweepPlan, capsys: pytest.CaptureFixture[str]):
    """As soon as their run says anything, whatever it says."""
    file = run_events(plan.project_folder("alpha=0.1"))

    def body(on_line: OnLine) -> Outcome:
        on_line("2 stages, 1 worker on 2 cores")
        for state, seconds in (("running", 0.0), ("restored", 0.1)):
            emit(StageEvent("prepare", state, seconds), file)
        emit(StageEvent("distill@0", "completed", 2.0), file)
        on_line("distill@0 | report: completed in 9.0 s")
        emit(StageEvent("report", "failed", 0.1), file)
        on_line("")
        on_line("")
        return Outcome(StageState.COMPLETED, "0123456789", 4.2)

    SweepProgress(plan, Path("logs")).perform(plan.graph.nodes["alpha=0.1"], body)
    assert capsys.readouterr().out.splitlines() == [
        "alpha=0.1: running",
        "alpha=0.1 | distill@0: completed in 2.0 s",
        "alpha=0.1 | report: failed in 0.1 s",
        "alpha=0.1: completed in 4.2 s",
    ]


def test_failures_are_told_at_once_and_at_the_end(
    plan: SweepPlan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    progress = SweepProgress(plan, tmp_path)
    failed = Outcome(StageState.FAILED, message="alpha=0.1: no")
    progress.perform(plan.graph.nodes["alpha=0.1"], work(failed))
    skipped = Outcome(StageState.SKIPPED, message="it needs shared by all points")
    progress.skip(plan.graph.nodes["alpha=0.5"], skipped)
    (tmp_path / "alpha=0.1.log").touch()
    shared = {"shared by all points": Outcome(StageState.COMPLETED)}
    progress.end({**shared, "alpha=0.1": failed, "alpha=0.5": skipped})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "alpha=0.1: failed, no",
        "alpha=0.5: skipped, it needs shared by all points",
        "alpha=0.1: no",
        f"  log: {tmp_path}/alpha=0.1.log",
    ]
    # what points share is no point
    assert lines[4].startswith("2 points in ")
    assert lines[4].endswith(": 1 failed, 1 skipped")


def test_points_that_are_done_are_not_told(plan: SweepPlan, capsys: pytest.CaptureFixture[str]):
    SweepProgress(plan, Path("logs")).perform(
        plan.graph.nodes["alpha=0.1"], work(Outcome(StageState.CACHED))
    )
    assert capsys.readouterr().out == ""


def test_the_introduction_counts(plan: SweepPlan):
    (line,) = introduction(plan)
    assert line.startswith("2 points of 1 seed each: 0 done already, 2 to run, ")
