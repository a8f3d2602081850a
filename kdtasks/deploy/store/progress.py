"""Where transfers report to."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress

_LINE_SECONDS = 5.0


class TransferProgress:
    """Shows nothing; both methods may be called from any thread."""

    total = 0

    def expect(self, total: int) -> None:
        """Say how many bytes are to be transferred in all."""
        self.total = total

    def advance(self, count: int) -> None:
        """Say that so many bytes more have been; fewer than 0 take some back."""


NO_PROGRESS = TransferProgress()


class LineProgress(TransferProgress):
    """A line every few seconds; none at all for what is quicker."""

    def __init__(self, verb: str, stream: TextIO) -> None:
        """Say what is being done, and where to write."""
        self._verb, self._stream = verb, stream
        self._done, self._last_line = 0, time.monotonic()

    def advance(self, count: int) -> None:
        """Write a line if the last one is long ago."""
        self._done += count
        if time.monotonic() - self._last_line > _LINE_SECONDS:
            self._last_line = time.monotonic()
            fraction = f"{self._done / self.total:.0%}" if self.total else ""
            print(f"{self._verb}: {self._done / 1e6:,.1f} MB {fraction}", file=self._stream)


class _BarProgress(TransferProgress):
    def __init__(self, bar: Progress, verb: str) -> None:
        self._bar, self._task = bar, bar.add_task(verb, total=None)

    def advance(self, count: int) -> None:
        self._bar.update(self._task, total=self.total, advance=count)


@contextlib.contextmanager
def show_progress(verb: str) -> Iterator[TransferProgress]:
    """Yield a progress on standard error that fits it.

    Args:
        verb: `uploading` or `downloading`.
    """
    # the command line has rich; who uses the library alone on a device need not
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield LineProgress(verb, sys.stderr)
        return
    columns = (
        progress.TextColumn(verb),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bar:
        yield _BarProgress(bar, verb)
