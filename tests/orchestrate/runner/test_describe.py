"""How a run is put into words."""

from pathlib import Path

import pytest

from kdtasks.core.text import duration, quantity
from kdtasks.orchestrate.runner.describe import (
    closing,
    counts,
    failures,
    in_short,
    narrowness,
    short_hash,
    time_taken,
)
from kdtasks.orchestrate.runner.graph import Outcome, StageGraph, StageNode, StageState


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (4.27, "4.2 s"),
        (9.99, "9.9 s"),
        (10, "10 s"),
        (59.9, "59 s"),
        (60, "1:00"),
        (205, "3:25"),
        (3599.9, "59:59"),
        (3723, "1:02:03"),
        (100 * 3600, "100:00:00"),
    ],
)
def test_durations(seconds: float, words: str):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("digest", "shown"), [("67e1086e0123.dir", "67e1086e"), ("abc.dir", "abc"), ("", "")]
)
def test_hashes(digest: str, shown: str):
    assert short_hash(digest) == shown


@pytest.mark.parametrize(
    ("outcome", "words", "taken"),
    [
        (Outcome(StageState.CACHED, "0123456789.dir", 0.1), "01234567", ""),
        (Outcome(StageState.RESTORED, "0123456789", 0.1), "01234567", ""),
        (Outcome(StageState.COMPLETED, "0123456789", 4.2), "01234567", "4.2 s"),
        (
            Outcome(StageState.FAILED, "", 61, "a ended:\n  ValueError: x\n\n"),
            "ValueError: x",
            "1:01",
        ),
        (Outcome(StageState.FAILED, message="no room"), "no room", ""),
        (Outcome(StageState.FAILED), "", ""),
        (Outcome(StageState.SKIPPED, message="it needs a"), "it needs a", ""),
        (Outcome(StageState.CANCELLED, message="the run was stopped"), "", ""),
    ],
)
def test_outcomes(outcome: Outcome, words: str, taken: str):
    assert (in_short(outcome), time_taken(outcome)) == (words, taken)


def test_counts_follow_the_order_of_the_states():
    states = [StageState.FAILED, StageState.CACHED, StageState.WAITING, StageState.CACHED]
    assert counts(states) == "1 waiting, 2 cached, 1 failed"
    assert (quantity(1, "core"), quantity(0, "core")) == ("1 core", "0 cores")


def test_the_last_line():
    outcomes = {"a": Outcome(StageState.CACHED), "b": Outcome(StageState.FAILED)}
    assert closing(outcomes.values(), 157) == "2 stages in 2:37: 1 cached, 1 failed"
    assert closing([], 0.5) == "0 stages in 0.5 s: nothing to do"


def test_failures_name_the_log_if_there_is_one(tmp_path: Path):
    (tmp_path / "a@0.log").write_text("", encoding="utf-8")
    outcomes = {
        "a@0": Outcome(StageState.FAILED, message="stage a@0 ended with status 1:\nout of paper"),
        "b": Outcome(StageState.FAILED, message="stage b: input is missing"),
        "c": Outcome(StageState.SKIPPED, message="it needs b"),
    }
    assert failures(outcomes, tmp_path) == [
        f"stage a@0 ended with status 1:\n  out of paper\n  log: {tmp_path / 'a@0.log'}",
        "stage b: input is missing",
    ]


@pytest.mark.parametrize(
    ("workers", "cores", "threads", "note"),
    [
        (2, 2, 1, None),
        (3, 2, 1, "--workers 3: 2 cores can hold 2 stages of 1 thread ("),
        (2, 3, 2, "--workers 2: 3 cores can hold 1 stage of 2 threads ("),
        (2, 1, 4, "--workers 2: 1 core can hold 1 stage of 4 threads ("),
        (9, 4, 1, None),  # no more than four stages are there
    ],
)
def test_workers_that_the_cores_have_no_room_for(
    workers: int, cores: int, threads: int, note: str | None
):
    graph = StageGraph.of([StageNode("wide", threads=threads), *map(StageNode, "abc")])
    said = narrowness(graph, workers, cores)
    assert said is None if note is None else said and said.startswith(note)


def test_no_stages_have_room_everywhere():
    assert narrowness(StageGraph(), 8, 1) is None
