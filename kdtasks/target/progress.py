"""A search told line by line."""

from collections.abc import Mapping
from pathlib import Path

from kdtasks.runner.graph import StageGraph, StageNode
from kdtasks.runner.outcome import Outcome, State
from kdtasks.runner.wording import duration, failures, quantity
from kdtasks.sweep.progress import SweepProgress
from kdtasks.target.engine import TargetEngine
from kdtasks.target.plan import TargetPlan
from kdtasks.target.wording import figures_text, limits_text


class TargetProgress(SweepProgress):
    """Prints the figures of every trial as it ends, and which limits it breaks."""

    def __init__(self, plan: TargetPlan, engine: TargetEngine, logs: Path) -> None:
        super().__init__(plan.sweep, logs)
        self._target, self._engine = plan, engine

    def begin(self, graph: StageGraph) -> None:
        """Print what is looked for."""
        self._print(introduction(self._target))

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Print where to read about failures."""
        for failure in failures(outcomes, self._logs):
            self._print(failure)

    def _tell(self, node: StageNode, outcome: Outcome) -> None:
        if node.name not in self._target.ladder or not outcome.is_up_to_date:
            if outcome.state is State.SKIPPED:
                self._print(f"{node.name}: left out, {outcome.message}")
            else:
                super()._tell(node, outcome)
            return
        result, broken = self._engine.result(node.name), self._engine.broken(node.name)
        assert result is not None
        assert broken is not None
        taken = "kept" if outcome.state is State.CACHED else f"in {duration(outcome.seconds)}"
        parts = [figures_text(result), *(excess.reason for excess in broken)]
        verdict = "" if broken else "; within all limits"
        self._print(f"{node.name}: {'; '.join(filter(None, parts))}{verdict} ({taken})")


def introduction(plan: TargetPlan) -> str:
    """Say what is looked for and how many ways there are to try."""
    done = len(plan.sweep.done)
    return (
        f"looking for {limits_text(plan.limits)}, in {plan.limits.minutes:g} minutes: up to "
        f"{quantity(len(plan.ladder), 'trial')}, {done} done already"
    )
