"""A sweep told line by line."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kdtasks.runner.engine import OnLine
from kdtasks.runner.graph import StageGraph, StageNode
from kdtasks.runner.outcome import Outcome, State
from kdtasks.runner.output import LastingOutput
from kdtasks.runner.wording import counts, duration, failures, quantity
from kdtasks.sweep.plan import SweepPlan

# what `kdtasks run` says of a stage that ended; not the stage's own output, nor what was cached
STAGE_ENDED = re.compile(r"^\S+: (completed|pulled|failed)\b")


class SweepProgress:
    """Prints a line when a point begins or ends, and one for every stage that ran in it."""

    def __init__(self, plan: SweepPlan[Any], logs: Path) -> None:
        """Arguments: `logs` is the folder of the points' output."""
        self._plan, self._logs = plan, logs
        self._output = LastingOutput()
        self._one_line = threading.Lock()
        self._begun = time.monotonic()

    def begin(self, graph: StageGraph) -> None:
        """Print how much there is to do, and with what."""
        for line in introduction(self._plan):
            self._print(line)

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Follow a point, or what several share."""
        is_running = False

        def on_line(line: str) -> None:
            nonlocal is_running
            if not is_running:
                self._print(f"{node.name}: {State.RUNNING}")
            is_running = True
            if STAGE_ENDED.match(line):
                self._print(f"{node.name} | {line}")

        outcome = work(on_line)
        self._tell(node, outcome)
        return outcome

    def _tell(self, node: StageNode, outcome: Outcome) -> None:
        match outcome.state:
            case State.CACHED:
                pass
            case State.COMPLETED:
                self._print(f"{node.name}: {outcome.state} in {duration(outcome.seconds)}")
            case State.FAILED:
                reason = outcome.message.removeprefix(f"{node.name}: ")
                self._print(f"{node.name}: failed, {reason}")
            case _:
                self._print(f"{node.name}: {outcome.state}")

    def leave_out(self, node: StageNode, outcome: Outcome) -> None:
        """Print why a point does not run."""
        self._print(f"{node.name}: {outcome.state}, {outcome.message}")

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Print where to read about failures, and counts."""
        for failure in failures(outcomes, self._logs):
            self._print(failure)
        states = [
            outcome.state for name, outcome in outcomes.items() if self._plan.jobs[name].is_point
        ]
        taken = duration(time.monotonic() - self._begun)
        self._print(f"{quantity(len(states), 'point')} in {taken}: {counts(states)}")

    def _print(self, text: str) -> None:
        with self._one_line:
            self._output.print(text)


def introduction(plan: SweepPlan[Any]) -> list[str]:
    """Say how much there is to do, and with what."""
    done, total = len(plan.done), len(plan.points)
    seeds = quantity(len(plan.points[0].params.seeds), "seed")
    left = f"{total - done} to run" if done < total else "nothing to run"
    at_once = f", {plan.workers} at once on {quantity(plan.cores, 'core')}" * (done < total)
    first = f"{quantity(total, 'point')} of {seeds} each: {done} done already, {left}{at_once}"
    return [first, *([plan.note] if plan.note else [])]
