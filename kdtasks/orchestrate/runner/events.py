"""The events of a run: what its stages tell, a file each, and what becomes of them, in one."""

from collections.abc import Callable, Mapping
from pathlib import Path

from kdtasks.core.events import MessageEvent, StageEvent, emit, tail
from kdtasks.orchestrate.runner.graph import (
    OnLine,
    Outcome,
    Reporter,
    StageGraph,
    StageNode,
    State,
    file_name,
)

EVENTS = Path(".kdtasks") / "events"  # below the project's folder; each run begins it anew


def events_path(folder: Path, name: str) -> Path:
    """The file in which a stage tells its events."""
    return folder / f"{file_name(name)}.jsonl"


def run_events(project: Path) -> Path:
    """The file in which a run tells what becomes of its stages."""
    return project / EVENTS / "run.jsonl"


def first_failure(file: Path) -> str | None:
    """The first failure that a file of events tells of, in one line; None if it tells of none."""
    events, _ = tail(file)
    failures = (it for it in events if isinstance(it, MessageEvent) and it.kind == "failed")
    return next((" ".join(failure.message.split()) for failure in failures), None)


class RunRecorder:
    """Writes what becomes of the stages as events, and hands everything on to a reporter.

    An event stands in the file before the reporter hears of it.
    """

    def __init__(self, reporter: Reporter, file: Path) -> None:
        self._reporter, self._file = reporter, file

    def begin(self, graph: StageGraph) -> None:
        """Hand it on."""
        self._reporter.begin(graph)

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Record the beginning and the end of a stage's work."""

        def recorded(on_line: OnLine) -> Outcome:
            emit(StageEvent(node.name, State.RUNNING), self._file)
            outcome = work(on_line)
            self._record(node, outcome)
            return outcome

        return self._reporter.perform(node, recorded)

    def leave_out(self, node: StageNode, outcome: Outcome) -> None:
        """Record that a stage does not run."""
        self._record(node, outcome)
        self._reporter.leave_out(node, outcome)

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Hand it on."""
        self._reporter.end(outcomes)

    def _record(self, node: StageNode, outcome: Outcome) -> None:
        if outcome.state is State.FAILED:
            emit(MessageEvent("failed", outcome.message), self._file)
        emit(StageEvent(node.name, outcome.state, round(outcome.seconds, 3)), self._file)
