"""What brings one stage up to date, and the two that there are."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from kdtasks.core.errors import StageError
from kdtasks.core.events import VARIABLE
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.processes import run_streamed
from kdtasks.orchestrate.project.project import DVC, child_environment
from kdtasks.orchestrate.runner.dvc_files import Command
from kdtasks.orchestrate.runner.events import EVENTS, events_path, first_failure
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageGraph, State
from kdtasks.orchestrate.runner.repository import Repository

LAST_LINES = 20

# what `dvc repro` prints of a stage whose command it does not run
SAID = (
    ("didn't change, skipping", State.CACHED),
    ("is cached - skipping run", State.RESTORED),
    ("Pulling data for", State.PULLED),
)


class Engine(Protocol):
    """Plans a run and brings its stages up to date, several at once in threads of their own."""

    def plan(self, targets: Sequence[str]) -> StageGraph:
        """The stages that `targets` (none for all) need."""

    def survey(self) -> frozenset[str]:
        """The stages that are known to be up to date already; called once, before any runs."""

    def bring_up_to_date(
        self, name: str, on_line: OnLine, is_cancelled: Callable[[], bool]
    ) -> Outcome:
        """Bring one stage up to date, all that it needs being so; hand on its output by lines."""

    def close(self) -> None:
        """Release every lock."""


def failure(name: str, status: int, last_lines: Sequence[str], events: Path) -> Outcome:
    """Say how a stage's command failed and, where its events tell it, why."""
    how = f"signal {-status}" if status < 0 else f"status {status}"
    reason = first_failure(events)
    message = f"stage {name} ended with {how}{f': {reason}' if reason else ''}"
    return Outcome(State.FAILED, message=message, last_lines=tuple(last_lines))


class SplitPhaseEngine:
    """The engine that `kdtasks run` uses; see `kdtasks.orchestrate.runner.repository`."""

    def __init__(
        self, project: Path, guardian: Guardian, *, force: bool = False, pull: bool = False
    ) -> None:
        self._repository, self._guardian = Repository(project), guardian
        self._events = project / EVENTS
        self._force, self._pull = force, pull

    def plan(self, targets: Sequence[str]) -> StageGraph:
        """The stages that `targets` (none for all) need."""
        return self._repository.plan(targets, pull=self._pull)

    def survey(self) -> frozenset[str]:
        """Find the unchanged stages; from here on the files of all others are held."""
        return self._repository.start(force=self._force)

    def bring_up_to_date(
        self, name: str, on_line: OnLine, is_cancelled: Callable[[], bool]
    ) -> Outcome:
        """Bring one stage up to date, all that it needs being so."""
        begun = time.monotonic()
        try:
            step = self._repository.begin(name, is_cancelled, force=self._force, pull=self._pull)
            if isinstance(step, Command):
                step = self._run(name, step, on_line, is_cancelled)
        except StageError as error:
            step = Outcome(State.FAILED, message=str(error))
        return step._replace(seconds=time.monotonic() - begun)

    def close(self) -> None:
        """Release every lock."""
        self._repository.close()

    def _run(
        self, name: str, command: Command, on_line: OnLine, is_cancelled: Callable[[], bool]
    ) -> Outcome:
        last_lines: deque[str] = deque(maxlen=LAST_LINES)
        events = events_path(self._events, name)

        def keep(line: str) -> None:
            last_lines.append(line)
            on_line(line)

        for line, arguments in zip(command.lines, command.arguments, strict=True):
            if is_cancelled():
                return Outcome(State.CANCELLED, message=f"stage {name} was stopped")
            on_line(f"> {line}")
            status = run_streamed(
                arguments,
                folder=command.folder,
                environment={**child_environment(), **command.variables, VARIABLE: str(events)},
                on_line=keep,
                is_cancelled=is_cancelled,
                guardian=self._guardian,
            )
            if is_cancelled():
                return Outcome(State.CANCELLED, message=f"stage {name} was stopped")
            if status != 0:
                return failure(name, status, last_lines, events)
        return self._repository.finish(name)


class CommandLineEngine:
    """The fallback: `dvc --wait-for-lock repro --single-item`, about two seconds a stage."""

    def __init__(
        self, project: Path, guardian: Guardian, *, force: bool = False, pull: bool = False
    ) -> None:
        self._project, self._guardian = project, guardian
        self._events = project / EVENTS
        self._repository = Repository(project)
        self._options = [*["--force"] * force, *["--pull"] * pull]

    def plan(self, targets: Sequence[str]) -> StageGraph:
        """The stages that `targets` (none for all) need."""
        return self._repository.plan(targets)

    def survey(self) -> frozenset[str]:
        """None: every stage is DVC's to judge."""
        self._repository.open_lock_files()
        return frozenset()

    def bring_up_to_date(
        self, name: str, on_line: OnLine, is_cancelled: Callable[[], bool]
    ) -> Outcome:
        """Bring one stage up to date, all that it needs being so."""
        begun = time.monotonic()
        last_lines: deque[str] = deque(maxlen=LAST_LINES)
        events = events_path(self._events, name)
        state = State.COMPLETED

        def keep(line: str) -> None:
            nonlocal state
            state = next((known for words, known in SAID if words in line), state)
            is_news = line.strip() and not line.endswith("didn't change, skipping")
            if is_news:
                last_lines.append(line)
                on_line(line)

        status = run_streamed(
            # --wait-for-lock is DVC's own flag, not repro's: it goes first
            [*DVC, "--wait-for-lock", "repro", *self._options, "--single-item", name],
            folder=self._project,
            environment={**child_environment(), VARIABLE: str(events)},
            on_line=keep,
            is_cancelled=is_cancelled,
            guardian=self._guardian,
        )
        seconds = time.monotonic() - begun
        if is_cancelled():
            return Outcome(State.CANCELLED, seconds=seconds, message=f"stage {name} was stopped")
        if status != 0:
            return failure(name, status, last_lines, events)._replace(seconds=seconds)
        return Outcome(state, self._repository.recorded_digest(name), seconds)

    def close(self) -> None:
        """Release every lock."""
        self._repository.close()
