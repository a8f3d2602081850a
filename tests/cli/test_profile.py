"""`kdtasks run --profile`: a bar a stage whose parts are as long as they should be, and a trace."""

import json
from pathlib import Path

import pytest

from kdtasks.cli.profile import BAR, MARKS, bar, show_profile
from kdtasks.core.events import SpanEvent, StageEvent, emit
from kdtasks.orchestrate.runner.files import run_events
from kdtasks.orchestrate.runner.profile import WORKS


def test_a_bar_is_as_long_as_its_share_of_the_longest():
    works = {work: float(seconds) for seconds, work in enumerate(WORKS)}  # 0 … 6, 21 in all
    whole = bar(works, 21.0).plain
    assert len(whole) == BAR
    assert len(bar(works, 42.0).plain) == BAR // 2
    for work, seconds in works.items():
        assert whole.count(MARKS[work]) == pytest.approx(BAR * seconds / 21.0, abs=1.0)


def test_bars_and_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = run_events(tmp_path)
    emit(StageEvent("prepare", "running", time=10.0), run)
    emit(SpanEvent("DVC", 1.0, "prepare", time=11.0), run)
    emit(SpanEvent("command", 3.0, "prepare", time=14.0), run)
    show_profile(tmp_path)
    heading, row, last = capsys.readouterr().out.splitlines()
    assert heading.strip() == "D DVC 1.0 s  o other 3.0 s"
    assert row.split() == ["prepare", "4.0", "s", "D" * (BAR // 4) + "o" * (3 * BAR // 4)]
    path = tmp_path / "report" / "profile.json"
    assert last == f"profile: {path} (open it in chrome://tracing or ui.perfetto.dev)"
    assert len(json.loads(path.read_text())["traceEvents"]) == 3


def test_a_run_of_nothing_has_a_trace_and_no_bars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    show_profile(tmp_path, tmp_path / "trace.json")
    assert capsys.readouterr().out.startswith(f"profile: {tmp_path / 'trace.json'} ")
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"] == []
