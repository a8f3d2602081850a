"""When stages run, and what becomes of the others: an engine without any commands, real threads."""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtasks.orchestrate.runner.files import log_path
from kdtasks.orchestrate.runner.graph import StageGraph, StageNode, StageState
from kdtasks.orchestrate.runner.scheduler import Scheduler
from tests.tools.fake_engine import (
    FakeEngine,
    FakeObserver,
    chain,
    scheduler,
    states,
)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


NODES = st.tuples(st.sets(st.integers(0, 9)), st.integers(1, 4), st.booleans())


@settings(max_examples=60)
@given(
    drawn=st.lists(NODES, min_size=1, max_size=10),
    broken=st.sets(st.integers(0, 9)),
    unchanged=st.integers(0, 10),
    workers=st.integers(1, 4),
    cores=st.integers(1, 4),
)
def test_the_rules_hold_in_every_graph(
    logs: Path,
    drawn: list[tuple[set[int], int, bool]],
    broken: set[int],
    unchanged: int,
    workers: int,
    cores: int,
):
    graph = StageGraph.of(
        StageNode(str(i), tuple(str(need) for need in needs if need < i), "", threads, is_exclusive)
        for i, (needs, threads, is_exclusive) in enumerate(drawn)
    )

    def work(name: str, is_cancelled: Callable[[], bool]) -> StageState:
        time.sleep(0.001)
        return StageState.FAILED if int(name) in broken else StageState.COMPLETED

    # unchanged are some of the first: whatever they need is unchanged as well
    engine = FakeEngine(
        graph, work, unchanged=[name for name in graph.nodes if int(name) < unchanged]
    )
    schedule, reporter = scheduler(engine, logs, workers=workers, cores=cores)
    outcomes = schedule.run()

    for name, node in graph.nodes.items():  # everything that can run does, once
        if name in engine.unchanged:
            expected = StageState.CACHED
        elif not all(outcomes[need].is_up_to_date for need in node.needs):
            expected = StageState.SKIPPED
        else:
            expected = StageState.FAILED if int(name) in broken else StageState.COMPLETED
        assert outcomes[name].state is expected
    assert len(set(engine.started)) == len(engine.started)
    assert sorted([*reporter.performed, *reporter.skipped]) == sorted(graph.nodes)
    assert reporter.outcomes == outcomes

    for crowd in engine.crowds:
        nodes = [graph.nodes[name] for name in crowd]
        assert len(nodes) <= workers
        assert len(nodes) == 1 or sum(node.threads for node in nodes) <= cores
        assert len(nodes) == 1 or not any(node.exclusive for node in nodes)


def test_as_many_as_fit_really_run_side_by_side(logs: Path):
    """Three stages that each wait for the other two: nothing would end if one were missing."""
    together = threading.Barrier(3)

    def work(name: str, is_cancelled: Callable[[], bool]) -> StageState:
        together.wait(timeout=30)
        return StageState.COMPLETED

    engine = FakeEngine(StageGraph.of(map(StageNode, "abc")), work)
    outcomes = scheduler(engine, logs, workers=3, cores=3)[0].run()
    assert set(states(outcomes).values()) == {StageState.COMPLETED}


def test_what_most_others_wait_for_goes_first(logs: Path):
    graph = StageGraph.of(
        [StageNode("lonely"), *chain("short", "end"), *chain("long", "longer", "longest")]
    )
    engine = FakeEngine(graph)
    scheduler(engine, logs, workers=1)[0].run()
    assert engine.started == ["long", "short", "longer", "lonely", "end", "longest"]


def test_small_stages_run_beside_a_wide_one_that_has_to_wait(logs: Path):
    graph = StageGraph.of(
        [StageNode("a", threads=2), StageNode("wide", threads=4), StageNode("b", threads=2)]
    )
    together = threading.Barrier(2)

    def work(name: str, is_cancelled: Callable[[], bool]) -> StageState:
        if name != "wide":
            together.wait(timeout=30)
        return StageState.COMPLETED

    engine = FakeEngine(graph, work)
    scheduler(engine, logs)[0].run()
    assert engine.crowds == [{"a"}, {"a", "b"}, {"wide"}]


def test_unchanged_stages_take_no_room(logs: Path):
    """They are through before the one that runs is, whatever their threads and rules."""
    graph = StageGraph.of(
        [
            StageNode("works"),
            *(StageNode(str(i), threads=9, exclusive=True) for i in range(5)),
        ]
    )
    reporter = FakeObserver()

    def work(name: str, is_cancelled: Callable[[], bool]) -> StageState:
        deadline = time.monotonic() + 30
        while len(reporter.performed) < 6:
            assert time.monotonic() < deadline, "the unchanged stages wait"
            time.sleep(0.005)
        return StageState.COMPLETED

    engine = FakeEngine(graph, work, unchanged="01234")
    outcomes = Scheduler(graph, engine, reporter, workers=1, cores=1, logs=logs).run()
    assert states(outcomes) == {
        "works": StageState.COMPLETED,
        **dict.fromkeys("01234", StageState.CACHED),
    }


def test_a_failure_takes_only_dependants_along(logs: Path):
    graph = StageGraph.of(
        [*chain("bad", "child", "grandchild"), *chain("good", "other"), StageNode("alone")]
    )
    engine = FakeEngine(
        graph,
        lambda name, is_cancelled: StageState.FAILED if name == "bad" else StageState.COMPLETED,
    )
    schedule, reporter = scheduler(engine, logs, workers=1)
    assert states(schedule.run()) == {
        "bad": StageState.FAILED,
        "child": StageState.SKIPPED,
        "grandchild": StageState.SKIPPED,
        "good": StageState.COMPLETED,
        "other": StageState.COMPLETED,
        "alone": StageState.COMPLETED,
    }
    assert {name: outcome.message for name, outcome in reporter.skipped.items()} == {
        "child": "it needs bad",
        "grandchild": "it needs bad",
    }


def test_an_exception_is_a_failure_that_names_the_stage(logs: Path):
    def work(name: str, is_cancelled: Callable[[], bool]) -> StageState:
        raise OSError(28, "No space left on device")

    outcomes = scheduler(FakeEngine(StageGraph.of(chain("a", "b")), work), logs)[0].run()
    assert states(outcomes) == {"a": StageState.FAILED, "b": StageState.SKIPPED}
    assert outcomes["a"].message == "stage a: OSError: [Errno 28] No space left on device"


def test_the_output_is_kept_but_not_that_of_unchanged_stages(tmp_path: Path):
    engine = FakeEngine(StageGraph.of(chain("a", "b")), unchanged="a")
    scheduler(engine, tmp_path)[0].run()
    assert log_path(tmp_path, "b").read_text(encoding="utf-8") == "working on b\n"
    assert not log_path(tmp_path, "a").exists()


def interrupt() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.mark.parametrize("times", [1, 2])
def test_an_interruption_waits_for_what_runs_and_leaves_out_the_rest(logs: Path, times: int):
    """A second one while the first is being answered does not cut that short."""
    graph = StageGraph.of([*chain("a", "after-a"), StageNode("b"), StageNode("c")])
    tidied: list[str] = []
    is_running = threading.Barrier(2)

    def work(name: str, is_cancelled: Callable[[], bool]) -> StageState:
        is_running.wait(timeout=30)
        if name == "a":
            interrupt()
        while not is_cancelled():
            time.sleep(0.005)
        if name == "a" and times == 2:
            interrupt()
        time.sleep(0.5)
        tidied.append(name)
        return StageState.CANCELLED

    schedule, reporter = scheduler(FakeEngine(graph, work), logs, workers=2)
    with pytest.raises(KeyboardInterrupt):
        schedule.run()
    assert sorted(tidied) == ["a", "b"]
    assert states(reporter.outcomes) == dict.fromkeys(graph.nodes, StageState.CANCELLED)
    assert sorted(reporter.performed) == ["a", "b"]
    assert sorted(reporter.skipped) == ["after-a", "c"]


def test_a_stage_that_was_just_started_when_the_interruption_came_is_waited_for(
    logs: Path, monkeypatch: pytest.MonkeyPatch
):
    class Interrupting(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **named: Any) -> Any:
            future = super().submit(*arguments, **named)
            interrupt()
            return future

    def work(name: str, is_cancelled: Callable[[], bool]) -> StageState:
        while not is_cancelled():
            time.sleep(0.005)
        return StageState.CANCELLED

    monkeypatch.setattr("kdtasks.orchestrate.runner.scheduler.ThreadPoolExecutor", Interrupting)
    schedule, reporter = scheduler(FakeEngine(StageGraph.of(chain("a", "b")), work), logs)
    with pytest.raises(KeyboardInterrupt):
        schedule.run()
    assert reporter.performed == ["a"]
    assert list(reporter.skipped) == ["b"]


def test_an_error_in_the_run_itself_is_told_as_a_stop(logs: Path, monkeypatch: pytest.MonkeyPatch):
    engine = FakeEngine(StageGraph.of(chain("a", "b")))

    def survey() -> Any:
        raise ValueError("dvc.lock is damaged")

    monkeypatch.setattr(engine, "survey", survey)
    schedule, reporter = scheduler(engine, logs)
    with pytest.raises(ValueError, match="damaged"):
        schedule.run()
    assert states(reporter.outcomes) == {"a": StageState.CANCELLED, "b": StageState.CANCELLED}
    assert engine.started == []


def test_no_stages_are_no_error(logs: Path):
    assert scheduler(FakeEngine(StageGraph()), logs)[0].run() == {}
