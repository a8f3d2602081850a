"""Who is told what becomes of the stages of a run."""

from collections.abc import Callable, Mapping
from typing import Protocol

from kdtasks.runner.engine import OnLine
from kdtasks.runner.graph import StageGraph, StageNode
from kdtasks.runner.outcome import Outcome


class Reporter(Protocol):
    """Watches a run. `perform` is called in the stage's thread, the others in the run's."""

    def begin(self, graph: StageGraph) -> None:
        """The run begins; every stage of the graph will end in `perform` or in `leave_out`."""

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Do `work`, which takes a function that is given every line of the stage's output."""

    def leave_out(self, node: StageNode, outcome: Outcome) -> None:
        """A stage does not run, because of a failure or because the run was stopped."""

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """The run has ended, well or not."""
