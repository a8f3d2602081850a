"""Bring stages up to date by DVC's command line: slower, but by documented ways alone."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from kdtasks.commands.project import DVC, child_environment
from kdtasks.runner.command import run_streamed
from kdtasks.runner.engine import LAST_LINES, OnLine, failure
from kdtasks.runner.graph import StageGraph
from kdtasks.runner.guardian import Guardian
from kdtasks.runner.outcome import Outcome, State
from kdtasks.runner.repository import Repository

# what `dvc repro` prints of a stage whose command it does not run
SAID = (
    ("didn't change, skipping", State.CACHED),
    ("is cached - skipping run", State.RESTORED),
    ("Pulling data for", State.PULLED),
)


class CommandLineEngine:
    """The fallback: `dvc --wait-for-lock repro --single-item`, about two seconds a stage."""

    def __init__(
        self, project: Path, guardian: Guardian, *, force: bool = False, pull: bool = False
    ) -> None:
        self._project, self._guardian = project, guardian
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
            environment=child_environment(),
            on_line=keep,
            is_cancelled=is_cancelled,
            guardian=self._guardian,
        )
        seconds = time.monotonic() - begun
        if is_cancelled():
            return Outcome(State.CANCELLED, seconds=seconds, message=f"stage {name} was stopped")
        if status != 0:
            message = failure(name, status, last_lines)
            return Outcome(State.FAILED, seconds=seconds, message=message)
        return Outcome(state, self._repository.recorded_digest(name), seconds)

    def close(self) -> None:
        """Release every lock."""
        self._repository.close()
