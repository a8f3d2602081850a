"""The table of a run's stages, as large as the terminal has room for."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kdtasks.core.events import ProgressEvent, tail
from kdtasks.core.text import duration, quantity
from kdtasks.orchestrate.runner.describe import (
    HASH_SHOWN,
    closing,
    counts,
    failures,
    in_short,
    narrowness,
    time_taken,
)
from kdtasks.orchestrate.runner.events import events_path
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageGraph, StageNode, State
from kdtasks.orchestrate.runner.lines import LastingOutput

STYLES = {
    State.WAITING: "dim",
    State.RUNNING: "bold cyan",
    State.CACHED: "dim green",
    State.RESTORED: "blue",
    State.PULLED: "blue",
    State.COMPLETED: "green",
    State.FAILED: "bold red",
    State.SKIPPED: "yellow",
    State.CANCELLED: "yellow",
}

# which rows a small terminal shows first; among those of one rank, the latest change
PRECEDENCE = (
    (State.RUNNING,),
    (State.FAILED,),
    (State.COMPLETED, State.PULLED, State.RESTORED),
    (State.SKIPPED, State.CANCELLED),
    (State.WAITING,),
    (State.CACHED,),
)

LINES_AROUND = 4  # the header, the names of the columns, the hidden rows, the cursor
GAP = 2  # characters between two columns


@dataclass
class Row:
    """What the table knows of a stage. Written by the stage's thread, read by the table's."""

    node: StageNode
    events: Path  # what the stage tells
    state: State = State.WAITING
    changed: float = 0.0  # when it came into this state, on the monotonic clock
    taken: str = ""  # how long its command ran, once it has ended
    speed: float | None = None  # images a second
    last_line: str = ""  # of its output, or a few words in its place
    offset: int = 0  # of its events that were read

    def start(self) -> None:
        """Mark the stage as running."""
        self.last_line = self.node.description
        self.changed = time.monotonic()
        self.state = State.RUNNING

    def hear(self, line: str) -> None:
        """Take in a line of the stage's output."""
        if line.strip():
            self.last_line = line

    def follow(self) -> None:
        """Take in what the stage has told since."""
        events, self.offset = tail(self.events, self.offset)
        for event in events:
            if isinstance(event, ProgressEvent):
                self.speed = event.images_per_second or self.speed

    def settle(self, outcome: Outcome) -> None:
        """Take in how the stage ended."""
        self.last_line = in_short(outcome)
        self.taken = time_taken(outcome)
        self.changed = time.monotonic()
        self.state = outcome.state

    @property
    def time(self) -> str:
        """How long the stage runs, or has run."""
        if self.state is State.RUNNING:
            return duration(time.monotonic() - self.changed)
        return self.taken

    @property
    def words(self) -> str:
        """The last line without colours and cursor movements, which would tear the table."""
        return " ".join(Text.from_ansi(self.last_line).plain.split())


def whole_table(rows: Sequence[Row], width: int) -> Table:
    """Every row, without the columns that are empty or for which there is no room."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    cells: list[Callable[[Row], str]] = []
    room = width

    def add(name: str, cell: Callable[[Row], str], wanted: int, **options: Any) -> None:
        nonlocal room
        if not any(map(cell, rows)):
            return
        if wanted <= room:
            table.add_column(name, no_wrap=True, overflow="ellipsis", width=wanted, **options)
            cells.append(cell)
        room -= wanted + GAP

    def longest(cell: Callable[[Row], str], least: int, most: int) -> int:
        return max(least, min(most, max((cell_len(cell(row)) for row in rows), default=0)))

    add("stage", lambda row: row.node.name, longest(lambda row: row.node.name, 5, width))
    add("state", lambda row: row.state, 9)
    add("time", lambda row: row.time, 7, justify="right")
    add("images/s", lambda row: f"{row.speed:,.0f}" if row.speed else "", 8, justify="right")
    # no wider than its words: what pads it would wrap when the terminal is made narrower
    add("", lambda row: row.words, longest(lambda row: row.words, HASH_SHOWN, room))
    for row in rows:
        table.add_row(*(Text(cell(row), STYLES[row.state]) for cell in cells))
    return table


def fitting_table(header: Text, rows: Sequence[Row], *, width: int, height: int) -> RenderableType:
    """As many rows as fit under a header, and how many of which state do not."""
    shown, hidden = choose_rows(rows, height - LINES_AROUND)
    parts: list[RenderableType] = [header, whole_table(shown, width)]
    if hidden:
        left_out = f"and {counts(row.state for row in hidden)}"
        parts.append(Text(left_out, "dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def choose_rows(rows: Sequence[Row], room: int) -> tuple[list[Row], list[Row]]:
    """Choose the rows that fit: those that run and those that failed before all others.

    Returns: the rows to show, in their order, and those for which there is no room.
    """
    rank = {state: number for number, states in enumerate(PRECEDENCE) for state in states}
    first = sorted(range(len(rows)), key=lambda i: (rank[rows[i].state], -rows[i].changed))
    chosen = set(first[: max(1, room)])
    shown = [row for i, row in enumerate(rows) if i in chosen]
    return shown, [row for i, row in enumerate(rows) if i not in chosen]


def header_line(rows: Sequence[Row], seconds: float, notes: str) -> Text:
    """How far the run is: stages done and failed, time taken, and `notes`."""
    states = [row.state for row in rows]
    done = sum(state not in (State.WAITING, State.RUNNING) for state in states)
    failed = states.count(State.FAILED)
    header = Text(f"{done} of {len(rows)} stages", "bold", no_wrap=True, overflow="ellipsis")
    if failed:
        header.append(f", {failed} failed", STYLES[State.FAILED])
    return header.append(f"   {duration(seconds)}   {notes}", "not bold")


class TerminalReporter:
    """Shows a table that changes in place, and leaves the whole of it on the terminal."""

    def __init__(
        self,
        *,
        workers: int | None,
        cores: int,
        logs: Path,
        events: Path,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Show nothing yet.

        Args:
            workers: as asked for.
            cores: of this machine.
            logs: folder of the stages' output.
            events: folder of what the stages tell.
            is_stopping: whether the run was asked to stop.
        """
        self._workers, self._cores, self._logs, self._events = workers, cores, logs, events
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
        self._rows = {name: self._row(node) for name, node in graph.nodes.items()}
        note = self._workers and narrowness(graph, self._workers, self._cores)
        if note:
            self._print(note, style="yellow")
        self._live.start(refresh=True)

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Follow a stage."""
        row = self._rows[node.name]
        row.start()
        outcome = work(row.hear)
        row.settle(outcome)
        return outcome

    def leave_out(self, node: StageNode, outcome: Outcome) -> None:
        """Show why a stage does not run."""
        self._rows.setdefault(node.name, self._row(node)).settle(outcome)

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Leave the whole table, with the failures and the counts below it."""
        self._has_ended = True
        self._live.stop()
        for failure in failures(outcomes, self._logs):
            self._print(failure, style="red")
        self._print(closing(outcomes, time.monotonic() - self._begun), style="bold")

    def _row(self, node: StageNode) -> Row:
        return Row(node, events_path(self._events, node.name))

    def _print(self, text: str, *, style: str) -> None:
        self._console.print(Text(text, style), soft_wrap=True)

    def _render(self) -> RenderableType:
        width, height = self._console.size
        if width < self._width:  # the terminal has wrapped the lines: nobody knows how many
            self._console.clear()
        self._width = width
        rows = list(self._rows.values())
        for row in rows:
            row.follow()
        if self._has_ended:
            return whole_table(rows, width)
        notes = (
            f"{quantity(self._workers or self._cores, 'worker')} "
            f"on {quantity(self._cores, 'core')}{'   stopping' * self._is_stopping()}"
        )
        header = header_line(rows, time.monotonic() - self._begun, notes)
        return fitting_table(header, rows, width=width, height=height)
