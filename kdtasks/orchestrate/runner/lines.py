"""A run told line by line, for logs and pipes."""

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdtasks.core.text import quantity
from kdtasks.orchestrate.runner.describe import (
    capacity,
    closing,
    failures,
    in_short,
    narrowness,
    time_taken,
)
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageGraph, StageNode, StageState

GONE = (errno.EPIPE, errno.EIO)


class LinesReporter:
    """Prints a line a change of state, and every line of a stage's output behind its name."""

    def __init__(self, *, workers: int | None, cores: int, logs: Path) -> None:
        """Args: `workers` as asked for; `logs` is the folder of the stages' output."""
        self._workers, self._cores, self._logs = workers, cores, logs
        self._output = LineOutput()
        self._one_line = threading.Lock()
        self._begun = time.monotonic()

    def begin(self, graph: StageGraph) -> None:
        """Print how much there is to do, and with what."""
        amount = quantity(len(graph.nodes), "stage")
        self._print(f"{amount}, {capacity(self._workers, self._cores)}")
        self._print_note(graph)

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Print the stage's output; a stage without any has nothing to run."""
        is_running = False

        def on_line(line: str) -> None:
            nonlocal is_running
            if not is_running:
                self._print(f"{node.name}: {StageState.RUNNING}")
            is_running = True
            self._print_line(node, line)

        outcome = work(on_line)
        self._print_end(node, outcome)
        return outcome

    def skip(self, node: StageNode, outcome: Outcome) -> None:
        """Print why a stage does not run."""
        self._print_end(node, outcome)

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Print failures and counts."""
        self._print_failures(outcomes)
        self._print(closing(outcomes.values(), time.monotonic() - self._begun), "bold")

    def _print_note(self, graph: StageGraph) -> None:
        if note := narrowness(graph, self._workers, self._cores):
            self._print(note, "yellow")

    def _print_line(self, node: StageNode, line: str) -> None:
        self._print(f"{node.name} | {line}".rstrip())

    def _print_failures(self, outcomes: Mapping[str, Outcome]) -> None:
        for failure in failures(outcomes, self._logs):
            self._print(failure, "red")

    def _print_end(self, node: StageNode, outcome: Outcome) -> None:
        taken, words = time_taken(outcome), in_short(outcome)
        self._print(
            f"{node.name}: {outcome.state}"
            f"{f' in {taken}' if taken else ''}{f', {words}' if words else ''}"
        )

    def _print(self, text: str, style: str = "") -> None:
        """Print a line; `style` is for terminals."""
        with self._one_line:
            self._output.print(text)


class LineOutput:
    """Writes to standard output at once, and to nothing once that is gone.

    A run goes on without a reader; its logs are in files. Characters that the terminal's encoding
    lacks become `?`.
    """

    def __init__(self) -> None:
        self._stream = sys.stdout  # as it is now: a live table puts itself in its place later
        if hasattr(self._stream, "reconfigure"):
            self._stream.reconfigure(errors="replace")

    def __getattr__(self, name: str) -> Any:
        """All else, such as `isatty`, is that of standard output."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write; `flush` sends it."""
        with self._lasting():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Send what was written."""
        with self._lasting():
            self._stream.flush()

    def print(self, text: str = "") -> None:
        """Write a line whole, whatever other threads write meanwhile."""
        self.write(f"{text}\n")
        self.flush()

    @contextmanager
    def _lasting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in GONE:
                raise
            # the descriptor rather than the object: what is buffered goes there as well, so that
            # Python's own flush at the exit finds nothing to complain about
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)
