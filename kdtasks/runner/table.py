"""The table of a run's stages, as large as the terminal has room for."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kdtasks.runner.graph import StageNode
from kdtasks.runner.outcome import Outcome, State
from kdtasks.runner.wording import HASH_SHOWN, counts, duration, in_short, time_taken
from kdtasks.training.progress import speed_of

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
    state: State = State.WAITING
    changed: float = 0.0  # when it came into this state, on the monotonic clock
    taken: str = ""  # how long its command ran, once it has ended
    speed: float | None = None  # pictures a second
    last_line: str = ""  # of its output, or a few words in its place

    def start(self) -> None:
        """Mark the stage as running."""
        self.last_line = self.node.description
        self.changed = time.monotonic()
        self.state = State.RUNNING

    def hear(self, line: str) -> None:
        """Take in a line of the stage's output."""
        if line.strip():
            self.last_line = line
            self.speed = speed_of(line) or self.speed

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
    add("pictures/s", lambda row: f"{row.speed:,.0f}" if row.speed else "", 10, justify="right")
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
