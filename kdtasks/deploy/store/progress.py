"""Where transfers report to."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_PLAIN_SECONDS = 5.0


class Progress:
    """Shows nothing; both methods may be called from any thread."""

    def expect(self, total: int) -> None:
        """Say how many bytes are to be transferred in all."""

    def advance(self, count: int) -> None:
        """Say that so many bytes more have been; fewer than 0 take some back."""


NO_PROGRESS = Progress()


class PlainProgress(Progress):
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
            fraction = f"{self._done / self._total:.0%}" if self._total else ""
            print(f"{self._verb}: {self._done / 1e6:,.1f} MB {fraction}", file=self._stream)


class _BarProgress(Progress):
    def __init__(self, bar: Bar, verb: str) -> None:
        self._bar, self._task = bar, bar.add_task(verb, total=None)

    def expect(self, total: int) -> None:
        self._bar.update(self._task, total=total)

    def advance(self, count: int) -> None:
        self._bar.update(self._task, advance=count)


@contextlib.contextmanager
def show_progress(verb: str) -> Iterator[Progress]:
    """Yield a progress on standard error that fits it.

    Args:
        verb: `uploading` or `downloading`.
    """
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
        yield PlainProgress(verb, sys.stderr)
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress(verb, sys.stderr)
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(TextColumn(verb), *columns, console=console, transient=True) as bar:
        yield _BarProgress(bar, verb)
