"""An engine without any commands, and an observer that keeps what it is told."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageGraph, StageNode, StageState
from kdtasks.orchestrate.runner.scheduler import Scheduler

Work = Callable[[str, Callable[[], bool]], StageState]


def nothing(name: str, is_cancelled: Callable[[], bool]) -> StageState:
    return StageState.COMPLETED


class FakeEngine:
    """Does `work` for a stage and keeps what ran when, and beside what."""

    def __init__(
        self, graph: StageGraph, work: Work = nothing, *, unchanged: Sequence[str] = ()
    ) -> None:
        self.graph, self.work, self.unchanged = graph, work, frozenset(unchanged)
        self.started: list[str] = []
        self.ended: list[str] = []
        self.crowds: list[set[str]] = []  # at every start: the stages with work that run by then
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def survey(self) -> frozenset[str]:
        return self.unchanged

    def bring_up_to_date(
        self, name: str, on_line: OnLine, is_cancelled: Callable[[], bool]
    ) -> Outcome:
        if name in self.unchanged:
            return Outcome(StageState.CACHED)
        with self._lock:
            assert set(self.ended).issuperset(set(self.graph.nodes[name].needs) - self.unchanged)
            self.started.append(name)
            self._running.add(name)
            self.crowds.append(set(self._running))
        try:
            on_line(f"working on {name}")
            return Outcome(self.work(name, is_cancelled))
        finally:
            with self._lock:
                self._running.remove(name)
                self.ended.append(name)


class FakeObserver:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.performed: list[str] = []
        self.skipped: dict[str, Outcome] = {}
        self.outcomes: Mapping[str, Outcome] = {}

    def begin(self, graph: StageGraph) -> None:
        pass

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        self.performed.append(node.name)
        return work(lambda line: None)

    def skip(self, node: StageNode, outcome: Outcome) -> None:
        self.skipped[node.name] = outcome

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        self.outcomes = dict(outcomes)


def scheduler(
    engine: FakeEngine, logs: Path, *, workers: int = 4, cores: int = 4
) -> tuple[Scheduler, FakeObserver]:
    reporter = FakeObserver()
    return (
        Scheduler(engine.graph, engine, reporter, workers=workers, cores=cores, logs=logs),
        reporter,
    )


def states(outcomes: Mapping[str, Outcome]) -> dict[str, StageState]:
    return {name: outcome.state for name, outcome in outcomes.items()}


def chain(*names: str) -> list[StageNode]:
    return [StageNode(name, needs=names[max(0, i - 1) : i]) for i, name in enumerate(names)]
