"""The table of a run's stages, as large as the terminal has room for."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, cast

from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kdtasks.core.events import ProgressEvent, tail
from kdtasks.core.text import duration
from kdtasks.orchestrate.runner.describe import HASH_SHOWN, capacity, counts, in_short, time_taken
from kdtasks.orchestrate.runner.files import events_path
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageGraph, StageNode, StageState
from kdtasks.orchestrate.runner.lines import LinesReporter

# a small terminal shows rows of the first first; among those of one state, the latest change
STYLES = {
    StageState.RUNNING: "bold cyan",
    StageState.FAILED: "bold red",
    StageState.COMPLETED: "green",
    StageState.PULLED: "blue",
    StageState.RESTORED: "blue",
    StageState.SKIPPED: "yellow",
    StageState.CANCELLED: "yellow",
    StageState.WAITING: "dim",
    StageState.CACHED: "dim green",
}

LINES_AROUND = 4  # the header, the names of the columns, the hidden rows, the cursor
GAP = 2  # characters between two columns
# names and widths; the first and the last are as wide as what stands in them, but for the least
COLUMNS = (("stage", 5), ("state", 9), ("time", 7), ("images/s", 8), ("", HASH_SHOWN))


@dataclass
class StageRow:
    """What the table knows of a stage. Written by the stage's thread, read by the table's."""

    node: StageNode
    events: Path  # what the stage tells
    state: StageState = StageState.WAITING
    changed: float = 0.0  # when it came into this state, on the monotonic clock
    taken: str = ""  # how long its command ran, once it has ended
    speed: float | None = None  # images a second
    last_line: str = ""  # of its output, or a few words in its place
    offset: int = 0  # of its events that were read

    def start(self) -> None:
        """Mark the stage as running."""
        self.last_line, self.changed = self.node.description, time.monotonic()
        self.state = StageState.RUNNING

    def on_line(self, line: str) -> None:
        """Take in a line of the stage's output."""
        if line.strip():
            self.last_line = line

    def follow(self) -> None:
        """Take in what the stage has told since."""
        events, self.offset = tail(self.events, self.offset)
        for event in events:
            if isinstance(event, ProgressEvent):
                self.speed = event.images_per_second or self.speed

    def finish(self, outcome: Outcome) -> None:
        """Take in how the stage ended."""
        self.last_line, self.taken = in_short(outcome), time_taken(outcome)
        self.changed = time.monotonic()
        self.state = outcome.state

    @property
    def time(self) -> str:
        """How long the stage runs, or has run."""
        if self.state is StageState.RUNNING:
            return duration(time.monotonic() - self.changed)
        return self.taken

    @property
    def words(self) -> str:
        """The last line without colours and cursor movements, which would tear the table."""
        return " ".join(Text.from_ansi(self.last_line).plain.split())

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands in each of the COLUMNS."""
        speed = f"{self.speed:,.0f}" if self.speed else ""
        return self.node.name, self.state, self.time, speed, self.words


def whole_table(rows: Sequence[StageRow], width: int) -> Table:
    """Every row, without the columns that are empty or for which there is no room."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    shown: list[list[str]] = []
    room = width
    for (name, least), *cells in zip(COLUMNS, *(row.cells for row in rows), strict=True):
        if not any(cells):
            continue
        column_width = least
        if name in ("stage", ""):
            # no wider than its words: what pads it would wrap when the terminal is made narrower
            column_width = max(least, min(room, max(map(cell_len, cells))))
        if column_width <= room:
            side: JustifyMethod = "right" if name in ("time", "images/s") else "left"
            table.add_column(
                name, no_wrap=True, overflow="ellipsis", width=column_width, justify=side
            )
            shown.append(cells)
        room -= column_width + GAP
    for row, *cells in zip(rows, *shown, strict=True):
        table.add_row(*(Text(cell, STYLES[row.state]) for cell in cells))
    return table


def fitting_table(
    header: Text, rows: Sequence[StageRow], *, width: int, height: int
) -> RenderableType:
    """As many rows as fit under a header, and how many of which state do not."""
    shown, hidden = visible_rows(rows, height - LINES_AROUND)
    parts: list[RenderableType] = [header, whole_table(shown, width)]
    if hidden:
        rest = f"and {counts(row.state for row in hidden)}"
        parts.append(Text(rest, "dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def visible_rows(rows: Sequence[StageRow], room: int) -> tuple[list[StageRow], list[StageRow]]:
    """Choose the rows that fit: those that run and those that failed before all others.

    Returns: the rows to show, in their order, and those for which there is no room.
    """
    states = list(STYLES)
    first = sorted(range(len(rows)), key=lambda i: (states.index(rows[i].state), -rows[i].changed))
    shown, hidden = sorted(first[: max(1, room)]), sorted(first[max(1, room) :])
    return [rows[i] for i in shown], [rows[i] for i in hidden]


def header_line(rows: Sequence[StageRow], seconds: float, notes: str) -> Text:
    """How far the run is: stages done and failed, time taken, and `notes`."""
    states = [row.state for row in rows]
    done = sum(state not in (StageState.WAITING, StageState.RUNNING) for state in states)
    failed = states.count(StageState.FAILED)
    header = Text(f"{done} of {len(rows)} stages", "bold", no_wrap=True, overflow="ellipsis")
    if failed:
        header.append(f", {failed} failed", STYLES[StageState.FAILED])
    return header.append(f"   {duration(seconds)}   {notes}", "not bold")


class TerminalReporter(LinesReporter):
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
        super().__init__(workers=workers, cores=cores, logs=logs)
        self._events, self._is_stopping = events, is_stopping
        self._rows: dict[str, StageRow] = {}
        self._has_ended = False
        self._console = Console(file=cast(IO[str], self._output), highlight=False)
        self._width = self._console.width
        self._live = Live(
            console=self._console, get_renderable=self._render, vertical_overflow="crop"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the terminal back, whatever has happened."""
        self._live.stop()

    def begin(self, graph: StageGraph) -> None:
        """Show the table."""
        self._rows = {
            name: StageRow(node, events_path(self._events, name))
            for name, node in graph.nodes.items()
        }
        self._print_note(graph)
        self._live.start(refresh=True)

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Follow a stage."""
        row = self._rows[node.name]
        row.start()
        outcome = work(row.on_line)
        row.finish(outcome)
        return outcome

    def skip(self, node: StageNode, outcome: Outcome) -> None:
        """Show why a stage does not run."""
        self._rows[node.name].finish(outcome)

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Leave the whole table, with the failures and the counts below it."""
        self._has_ended = True
        self._live.stop()
        super().end(outcomes)

    def _print(self, text: str, style: str = "") -> None:
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
        notes = f"{capacity(self._workers, self._cores)}{'   stopping' * self._is_stopping()}"
        header = header_line(rows, time.monotonic() - self._begun, notes)
        return fitting_table(header, rows, width=width, height=height)
