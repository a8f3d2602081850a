"""A run as a table that follows it in place, for terminals."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from kdtasks.runner.engine import OnLine
from kdtasks.runner.graph import StageGraph, StageNode
from kdtasks.runner.outcome import Outcome, State
from kdtasks.runner.output import LastingOutput
from kdtasks.runner.table import Row, fitting_table, header_line, whole_table
from kdtasks.runner.wording import closing, failures, narrowness, quantity


class TerminalReporter:
    """Shows a table that changes in place, and leaves the whole of it on the terminal."""

    def __init__(
        self,
        *,
        workers: int | None,
        cores: int,
        logs: Path,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Arguments: `workers` as asked for; `logs` is the folder of the stages' output."""
        self._workers, self._cores, self._logs = workers, cores, logs
        self._is_stopping = is_stopping
        self._begun = time.monotonic()
        self._rows: dict[str, Row] = {}
        self._has_ended = False
        self._console = Console(file=cast(IO[str], LastingOutput()), highlight=False)
        self._width = self._console.width
        self._live = Live(
            console=self._console, get_renderable=self._render, vertical_overflow="crop"
        )

    def __enter__(self) -> "TerminalReporter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back, whatever has happened."""
        self._live.stop()

    def begin(self, graph: StageGraph) -> None:
        """Show the table."""
        self._rows = {name: Row(node) for name, node in graph.nodes.items()}
        note = self._workers and narrowness(graph, self._workers, self._cores)
        if note:
            self._print(note, style="yellow")
        self._live.start(refresh=True)

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Follow a stage."""
        row = self._rows[node.name]
        row.start()
        try:
            outcome = work(row.hear)
        except BaseException as error:
            row.settle(Outcome(State.FAILED, message=str(error)))
            raise
        row.settle(outcome)
        return outcome

    def leave_out(self, node: StageNode, outcome: Outcome) -> None:
        """Show why a stage does not run."""
        self._rows.setdefault(node.name, Row(node)).settle(outcome)

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Leave the whole table, with the failures and the counts below it."""
        self._has_ended = True
        self._live.stop()
        for failure in failures(outcomes, self._logs):
            self._print(failure, style="red")
        self._print(closing(outcomes, time.monotonic() - self._begun), style="bold")

    def _print(self, text: str, *, style: str) -> None:
        self._console.print(Text(text, style), soft_wrap=True)

    def _render(self) -> RenderableType:
        width, height = self._console.size
        if width < self._width:  # the terminal has wrapped the lines: nobody knows how many
            self._console.clear()
        self._width = width
        rows = list(self._rows.values())
        if self._has_ended:
            return whole_table(rows, width)
        notes = (
            f"{quantity(self._workers or self._cores, 'worker')} "
            f"on {quantity(self._cores, 'core')}{'   stopping' * self._is_stopping()}"
        )
        header = header_line(rows, time.monotonic() - self._begun, notes)
        return fitting_table(header, rows, width=width, height=height)
