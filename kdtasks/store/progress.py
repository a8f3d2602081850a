"""Show how far a transfer is: a bar by rich on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_PLAIN_SECONDS = 5.0


class Progress(Protocol):
    """Where a transfer reports to; both may be called from any thread."""

    def expect(self, total: int) -> None:
        """Say how many bytes are to be transferred in all."""

    def advance(self, count: int) -> None:
        """Say that so many bytes more have been."""


class NoProgress:
    """Shows nothing."""

    def expect(self, total: int) -> None:
        """Do nothing."""

    def advance(self, count: int) -> None:
        """Do nothing."""


class PlainProgress:
    """A line every few seconds; none at all for what is quicker."""

    def __init__(self, verb: str, stream: TextIO) -> None:
        """Say what is being done, and where to write."""
        self._verb, self._stream = verb, stream
        self._total = self._done = 0
        self._told = time.monotonic()

    def expect(self, total: int) -> None:
        """Remember the total."""
        self._total = total

    def advance(self, count: int) -> None:
        """Write a line if the last one is long ago."""
        self._done += count
        if time.monotonic() - self._told > _PLAIN_SECONDS:
            self._told = time.monotonic()
            share = f"{self._done / self._total:.0%}" if self._total else ""
            print(f"{self._verb}: {self._done / 1e6:,.1f} MB {share}", file=self._stream)


@contextlib.contextmanager
def show_progress(verb: str) -> Iterator[Progress]:
    """Yield a progress on standard error that fits it.

    Arguments:
        verb: `uploading` or `downloading`.
    """
    stream = sys.stderr
    try:
        # only a terminal needs rich, and not every device has it
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bar
    except ModuleNotFoundError:
        yield PlainProgress(verb, stream)
        return
    console = Console(file=stream)
    if not console.is_terminal:
        yield PlainProgress(verb, stream)
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(TextColumn(verb), *columns, console=console, transient=True) as bar:
        yield _RichProgress(bar, bar.add_task(verb, total=None))


class _RichProgress:
    """rich's bar, which has a lock of its own."""

    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def expect(self, total: int) -> None:
        """Set the length of the bar."""
        self._bar.update(self._task, total=total)

    def advance(self, count: int) -> None:
        """Move it."""
        self._bar.update(self._task, advance=count)
