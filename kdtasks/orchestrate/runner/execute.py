"""One run of a project's stages from plan to end, whoever watches it."""

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from kdtasks.core.errors import KdTasksError, ProjectError
from kdtasks.core.events import MessageEvent, emit, span
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.processes import uninterrupted, usable_cores
from kdtasks.orchestrate.project.clone import MARK
from kdtasks.orchestrate.project.project import check_workspace, one_run_at_a_time
from kdtasks.orchestrate.runner.damage import check_cache, is_check_due
from kdtasks.orchestrate.runner.files import EVENTS, run_events
from kdtasks.orchestrate.runner.graph import Outcome, RunObserver
from kdtasks.orchestrate.runner.scheduler import Scheduler
from kdtasks.orchestrate.runner.unchanged import (
    UnchangedEngine,
    UnchangedRun,
    backdated_since,
    recall,
    remember,
)

if TYPE_CHECKING:
    from kdtasks.orchestrate.runner.engine import DvcEngine

EngineName = Literal["split", "cli"]
LOGS = ProjectPaths().logs


@dataclass(frozen=True)
class RunOptions:
    """What to run, and how."""

    stages: tuple[str, ...] = ()  # with what they depend on; none for all
    workers: int | None = None  # most stages at once; None for as many as there are cores
    force: bool = False  # run unchanged stages as well
    pull: bool = False  # bring what is missing from the DVC remote
    engine: EngineName = "split"
    push: bool = False  # take what each stage wrote to the DVC remote as soon as it has ended


class StageCluster(NamedTuple):
    """Other machines that run stages."""

    engine: "Callable[[Path, Guardian], DvcEngine]"  # of a project
    cores: int  # of all of them
    note: str = ""  # where last bits depend on which of them runs a stage


def execute(
    project: Path,
    options: RunOptions,
    reporter: RunObserver,
    *,
    lock: int | None = None,
    unchanged: UnchangedRun | None = None,
    cluster: StageCluster | None = None,
) -> Mapping[str, Outcome]:
    """Bring the stages up to date.

    Args:
        lock: the run lock, where the caller holds it already.
        unchanged: what `nothing_to_do` has found.
        cluster: where stages run; this machine where there is none.

    Returns: the outcome of every stage, failed ones among them.

    Raises:
        ProjectError: a stage does not exist, dvc.yaml is not valid, or another run is going on.
    """
    cores = cluster.cores if cluster else usable_cores()
    with (
        chdir(project),
        one_run_at_a_time(project) if lock is None else nullcontext(lock) as held,
        ExitStack() as opened,
    ):
        shutil.rmtree(project / EVENTS, ignore_errors=True)
        events = run_events(project)
        engine = (
            UnchangedEngine(unchanged)
            if unchanged
            else opened.enter_context(_dvc(options, held, cluster))
        )
        try:
            outcomes = Scheduler(
                engine.plan(options.stages),
                engine,
                reporter,
                workers=options.workers or cores,
                cores=cores,
                logs=project / LOGS,
                events=events,
            ).run()
        except KdTasksError as error:
            emit(MessageEvent("failed", str(error)), events)
            raise
        opened.close()
        is_lasting = not unchanged and not (project / MARK).is_file()  # a sweep's clone runs once
        if is_lasting and all(outcome.is_up_to_date for outcome in outcomes.values()):
            _remember(project, options.stages)
        return outcomes


def nothing_to_do(project: Path, options: RunOptions) -> UnchangedRun | None:
    """What a run has found up to date, if all of it still looks as it did; None to ask DVC."""
    asks_for_more = options.force or options.pull or options.push or options.engine == "cli"
    if asks_for_more or is_check_due(project):
        return None
    unchanged = recall(project, options.stages)
    return unchanged if unchanged and unchanged.is_current else None


@contextmanager
def _dvc(options: RunOptions, held: int, cluster: StageCluster | None) -> "Iterator[DvcEngine]":
    """The engine that runs the project of the current folder; DVC is imported with it."""
    if cluster and (options.force or options.engine == "cli"):
        raise ProjectError("--cluster goes together with neither --force nor --engine cli")
    if options.push and options.engine == "cli":
        raise ProjectError("--push and --engine cli do not go together; `dvc push` after the run")
    project = Path.cwd()
    if is_check_due(project):
        check_cache(project)
    with span("imports", run_events(project)):
        from kdtasks.orchestrate.runner.engine import CommandLineEngine, SplitPhaseEngine
    _silence_progress_bars()
    # as long as something of a killed run is still running, the next one has to wait
    with closing(Guardian(keep_open=[held])) as guardian:
        if cluster:
            engine = cluster.engine(project, guardian)
        else:
            kind = CommandLineEngine if options.engine == "cli" else SplitPhaseEngine
            how = {name: getattr(options, name) for name in ("force", "pull", "push")}
            engine = kind(project, guardian, **how)
        engine.read_again(backdated_since(project, options.stages))
        try:
            yield engine
        finally:
            with uninterrupted():  # it writes dvc.lock
                engine.close()


def _remember(project: Path, stages: tuple[str, ...]) -> None:
    """Ask DVC once more, which sees what has changed while the run went on; no result is lost."""
    from kdtasks.orchestrate.runner.repository import Repository

    with suppress(KdTasksError), closing(Repository(project)) as repository:
        repository.plan(stages)
        if unchanged := repository.confirmed():
            remember(project, stages, unchanged)


def preview(project: Path, options: RunOptions) -> dict[str, tuple[str, ...]]:
    """Of every stage, in the order of DVC: why it would run; nothing where it would not.

    Nothing is changed. A stage that would be restored from a cache counts as one that would run,
    and so does every stage that needs one that would.

    Raises:
        ProjectError: a stage does not exist, or dvc.yaml is not valid.
    """
    from kdtasks.orchestrate.runner.repository import Repository

    _silence_progress_bars()
    check_workspace(project)
    with chdir(project), closing(Repository(project, force=options.force)) as repository:
        repository.plan(options.stages)
        repository.survey()
        return repository.reasons()


def _silence_progress_bars() -> None:
    """DVC draws them on terminals unless the level of their loggers forbids it."""
    for name in ("dvc.progress", "dvc_data.callbacks"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
