"""Bring stages up to date in this process: DVC's bookkeeping in phases, the command in between."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from kdtasks.commands.project import child_environment
from kdtasks.errors import StageError
from kdtasks.runner.command import run_streamed
from kdtasks.runner.engine import LAST_LINES, OnLine, failure
from kdtasks.runner.graph import StageGraph
from kdtasks.runner.guardian import Guardian
from kdtasks.runner.outcome import Outcome, State
from kdtasks.runner.repository import Command, Repository


class SplitPhaseEngine:
    """The engine that `kdtasks run` uses; see `kdtasks.runner.repository`."""

    def __init__(
        self, project: Path, guardian: Guardian, *, force: bool = False, pull: bool = False
    ) -> None:
        self._repository, self._guardian = Repository(project), guardian
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
                environment={**child_environment(), **command.variables},
                on_line=keep,
                is_cancelled=is_cancelled,
                guardian=self._guardian,
            )
            if is_cancelled():
                return Outcome(State.CANCELLED, message=f"stage {name} was stopped")
            if status != 0:
                return Outcome(State.FAILED, message=failure(name, status, last_lines))
        return self._repository.finish(name)
