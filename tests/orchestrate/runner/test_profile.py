"""Where the time of a run went, from events written by hand and from those of a true run."""

from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.events import SpanEvent, StageEvent, emit
from kdtasks.orchestrate.runner.execute import RunOptions, execute
from kdtasks.orchestrate.runner.files import EVENTS, events_path, run_events
from kdtasks.orchestrate.runner.profile import RUN, Span, chrome_trace, read_spans, shares


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A run of 20 seconds with two stages; times are ends, in seconds since the first event."""
    run = run_events(tmp_path)
    for event in (
        SpanEvent("imports", 1.0, time=101.0),
        SpanEvent("DVC", 2.0, time=103.0),
        StageEvent("teacher", "running", time=104.0),
        SpanEvent("waiting", 1.0, "teacher", time=104.0),
        SpanEvent("DVC", 0.5, "teacher", time=104.5),
        SpanEvent("command", 12.0, "teacher", time=116.5),
        SpanEvent("DVC", 0.5, "teacher", time=117.0),
        StageEvent("teacher", "completed", 13.0, time=117.0),
        StageEvent("plot", "running", time=117.0),
        SpanEvent("command", 3.0, "plot", time=120.0),
        StageEvent("plot", "completed", 3.0, time=120.0),
    ):
        emit(event, run)
    teacher = events_path(tmp_path / EVENTS, "teacher")
    emit(SpanEvent("imports", 2.0, time=108.5), teacher)  # TensorFlow, when it is first used
    emit(SpanEvent("training", 6.0, time=115.0), teacher)
    emit(SpanEvent("work", 10.0, time=116.0), teacher)
    return tmp_path


def test_every_second_is_counted_once(project: Path):
    found = shares(read_spans(project))
    assert {name: {work: s for work, s in works.items() if s} for name, works in found.items()} == {
        RUN: {"imports": 1.0, "DVC": 2.0},
        # of the process's 12 s the work is 10, of these 2 are imports and 6 training
        "teacher": {"waiting": 1.0, "DVC": 1.0, "imports": 4.0, "training": 6.0, "other": 2.0},
        "plot": {"other": 3.0},  # a program that says nothing
    }


def test_the_trace_has_a_named_row_a_stage_and_microseconds_from_the_first_event(project: Path):
    trace = chrome_trace(read_spans(project))
    names = {
        event["tid"]: event["args"]["name"] for event in trace["traceEvents"] if event["ph"] == "M"
    }
    assert sorted(names.values()) == [RUN, "plot", "teacher"]
    pieces = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert {
        (names[event["tid"]], event["name"], event["ts"], event["dur"]) for event in pieces
    } >= {
        (RUN, "imports", 0, 1_000_000),
        ("teacher", "training", 9_000_000, 6_000_000),
        ("plot", "other", 17_000_000, 3_000_000),
    }
    assert all(event["pid"] == 1 and event["cat"] == event["name"] for event in pieces)


def test_a_run_that_left_nothing_has_no_pieces(tmp_path: Path):
    assert read_spans(tmp_path) == []
    assert shares([]) == {}
    assert chrome_trace([])["traceEvents"] == []


def test_two_clocks_that_differ_by_a_little_change_nothing_much():
    outer, inner = Span("a", "imports", 10.0, 5.0), Span("a", "other", 14.0, 1.1)
    works = shares([outer, inner])["a"]
    assert works["imports"] == pytest.approx(3.9)
    assert works["other"] == pytest.approx(1.1)


def test_a_true_run_tells_of_dvc_and_of_its_commands(diamond: Path, silent: Any):
    execute(diamond, RunOptions(), silent)
    found = shares(read_spans(diamond))
    assert set(found) == {RUN, "first", "left", "right", "last"}
    assert found[RUN]["DVC"] > 0.0
    for name in ("first", "left", "right", "last"):
        assert found[name]["DVC"] > 0.0
        assert found[name]["other"] > 0.0
