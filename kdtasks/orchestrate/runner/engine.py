"""What brings one stage up to date: steps of DVC around its command, or `dvc repro`."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from kdtasks.core.events import VARIABLE, span
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.processes import run_streamed, why_cold
from kdtasks.orchestrate.project.project import DVC, child_environment
from kdtasks.orchestrate.runner.dvc_files import Command
from kdtasks.orchestrate.runner.files import EVENTS, events_path, first_failure, run_events
from kdtasks.orchestrate.runner.graph import IsCancelled, OnLine, Outcome, StageGraph, StageState
from kdtasks.orchestrate.runner.params_file import parse_once
from kdtasks.orchestrate.runner.repository import Repository
from kdtasks.orchestrate.warm.stages import WarmStages

LAST_LINES = 20

# what `dvc repro` prints of a stage whose command it does not run
SAID = (
    ("didn't change, skipping", StageState.CACHED),
    ("is cached - skipping run", StageState.RESTORED),
    ("Pulling data for", StageState.PULLED),
)


class Engine(Protocol):
    """Brings what a scheduler runs up to date, several at once in threads of their own."""

    def survey(self) -> frozenset[str]:
        """The stages that are known to be up to date already; called once, before any runs."""

    def bring_up_to_date(self, name: str, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        """Bring one stage up to date, all that it needs being so; hand on its output by lines.

        A KdTasksError is a failure with that message.
        """


class DvcEngine(Engine):
    """What the engines of a DVC project share; `plan` comes first, `close` last."""

    pulls_run_cache: ClassVar[bool] = True  # itself, where asked to pull; else DVC's command does

    def __init__(
        self,
        project: Path,
        guardian: Guardian,
        *,
        force: bool = False,
        pull: bool = False,
        push: bool = False,
    ) -> None:
        parse_once()
        self._project, self._guardian, self._push = project, guardian, push
        self._events = run_events(project)
        self._options = [*["--force"] * force, *["--pull"] * pull]  # of `dvc repro`
        pulls = pull and self.pulls_run_cache
        self._repository = Repository(project, force=force, pull=pulls, push=push)

    def plan(self, targets: Sequence[str]) -> StageGraph:
        """The stages that `targets` (none for all) need."""
        with span("DVC", self._events):
            self._graph = self._repository.plan(targets)
        return self._graph

    def read_again(self, files: Iterable[str]) -> None:
        """Have DVC hash files that look unchanged to it."""
        self._repository.forget_hashes(files)

    def close(self) -> None:
        """Release every lock."""
        self._repository.close()

    def _run(
        self,
        name: str,
        command: Sequence[str],
        on_line: OnLine,
        is_cancelled: IsCancelled,
        folder: Path,
        variables: Mapping[str, str],
    ) -> Outcome | None:
        """Run a command of a stage; None where it ended well, else how the stage ended."""
        last_lines: deque[str] = deque(maxlen=LAST_LINES)
        events = events_path(self._project / EVENTS, name)

        def keep(line: str) -> None:
            last_lines.append(line)
            on_line(line)

        with span("command", self._events, name):
            status = run_streamed(
                command,
                folder=folder,
                environment={**child_environment(), **variables, VARIABLE: str(events)},
                on_line=keep,
                is_cancelled=is_cancelled,
                guardian=self._guardian,
            )
        if is_cancelled():
            return Outcome(StageState.CANCELLED, message=f"stage {name} was stopped")
        if status == 0:
            return None
        how = f"signal {-status}" if status < 0 else f"status {status}"
        reason = first_failure(events)
        message = f"stage {name} ended with {how}{f': {reason}' if reason else ''}"
        return Outcome(StageState.FAILED, message=message, last_lines=tuple(last_lines))


class SplitPhaseEngine(DvcEngine):
    """The engine that `kdtasks run` uses; see `kdtasks.orchestrate.runner.repository`.

    Stages start in forks of a process that has imported TensorFlow and kdtasks, where forking is
    safe; not those that are timed, whose memory counts. It imports from the first command on, for
    which stages without TensorFlow do not wait.
    """

    def __init__(self, project: Path, guardian: Guardian, **options: bool) -> None:
        super().__init__(project, guardian, **options)
        self._warm = None if why_cold() else WarmStages(project)
        self._will_use_tensorflow = False

    def close(self) -> None:
        """Release every lock, and let the process end that warm stages come from."""
        super().close()
        if self._warm:
            self._warm.close()

    def survey(self) -> frozenset[str]:
        """Find the unchanged stages; from here on the files of all others are held."""
        with span("DVC", self._events):
            unchanged = self._repository.start()
        rest = (node for name, node in self._graph.nodes.items() if name not in unchanged)
        self._will_use_tensorflow = any(node.uses_tensorflow for node in rest)
        return unchanged

    def bring_up_to_date(self, name: str, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        """Bring one stage up to date, all that it needs being so, and push it where asked to."""
        outcome = self._fetch_or_run(name, on_line, is_cancelled)
        if self._push and outcome.is_up_to_date and outcome.state is not StageState.PULLED:
            with span("push", self._events, name):
                self._repository.push(name)
        return outcome

    def _fetch_or_run(self, name: str, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        with span("DVC", self._events, name):
            step = self._repository.begin(name, is_cancelled)
        if isinstance(step, Outcome):
            return step
        return self._perform(name, step, on_line, is_cancelled)

    def _perform(
        self, name: str, command: Command, on_line: OnLine, is_cancelled: IsCancelled
    ) -> Outcome:
        """Run a stage's command, and take in what it wrote."""
        node, warm = self._graph.nodes[name], self._warm
        if warm and node.exclusive:  # it times something, and counts its own memory
            warm.settle()
            warm = None
        if warm and self._will_use_tensorflow:
            warm.begin()
        for line, words in command.steps:
            on_line(f"> {line}")
            if warm:
                words = warm.words(line, waits=node.uses_tensorflow) or words
            ended = self._run(name, words, on_line, is_cancelled, command.folder, command.variables)
            if ended:
                return ended
        with span("DVC", self._events, name):
            return self._repository.finish(name)


class CommandLineEngine(DvcEngine):
    """The fallback: `dvc --wait-for-lock repro --single-item`, about two seconds a stage."""

    pulls_run_cache = False

    def survey(self) -> frozenset[str]:
        """None: every stage is left to DVC."""
        self._repository.open_lock_files()
        return frozenset()

    def bring_up_to_date(self, name: str, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        """Bring one stage up to date, all that it needs being so."""
        state = StageState.COMPLETED

        def on_dvc_line(line: str) -> None:
            nonlocal state
            state = next((known for words, known in SAID if words in line), state)
            if line.strip() and not line.endswith("didn't change, skipping"):
                on_line(line)

        # --wait-for-lock is DVC's own flag, not repro's: it goes first
        command = [*DVC, "--wait-for-lock", "repro", *self._options, "--single-item", name]
        ended = self._run(name, command, on_dvc_line, is_cancelled, self._project, {})
        return ended or Outcome(state, self._repository.recorded_digest(name))
