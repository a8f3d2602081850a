"""One run of a project's stages from plan to end, whoever watches it."""

import logging
import shutil
from collections.abc import Mapping
from contextlib import chdir, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kdtasks.core.errors import KdTasksError
from kdtasks.core.events import MessageEvent, emit
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.processes import uninterrupted, usable_cores
from kdtasks.orchestrate.project.project import check_workspace, one_run_at_a_time
from kdtasks.orchestrate.runner.damage import check_once_a_day
from kdtasks.orchestrate.runner.engine import CommandLineEngine, SplitPhaseEngine
from kdtasks.orchestrate.runner.files import EVENTS, run_events
from kdtasks.orchestrate.runner.graph import Outcome, RunObserver
from kdtasks.orchestrate.runner.repository import Repository
from kdtasks.orchestrate.runner.scheduler import Scheduler

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


def execute(
    project: Path, options: RunOptions, reporter: RunObserver, *, lock: int | None = None
) -> Mapping[str, Outcome]:
    """Bring the stages up to date.

    Args:
        lock: the run lock, where the caller holds it already.

    Returns: the outcome of every stage, failed ones among them.

    Raises:
        ProjectError: a stage does not exist, dvc.yaml is not valid, or another run is going on.
    """
    cores = usable_cores()
    _silence_progress_bars()
    with (
        chdir(project),
        one_run_at_a_time(project) if lock is None else nullcontext(lock) as held,
        # as long as something of a killed run is still running, the next one has to wait
        closing(Guardian(keep_open=[held])) as guardian,
    ):
        check_once_a_day(project)
        shutil.rmtree(project / EVENTS, ignore_errors=True)
        events = run_events(project)
        kind = CommandLineEngine if options.engine == "cli" else SplitPhaseEngine
        engine = kind(project, guardian, force=options.force, pull=options.pull)
        try:
            return Scheduler(
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
        finally:
            with uninterrupted():  # it writes dvc.lock
                engine.close()


def preview(project: Path, options: RunOptions) -> dict[str, bool]:
    """Of every stage, in the order of DVC: whether it would run. Nothing is changed.

    A stage that would be restored from a cache counts as one that would run, and so does every
    stage that needs one that would.

    Raises:
        ProjectError: a stage does not exist, or dvc.yaml is not valid.
    """
    _silence_progress_bars()
    check_workspace(project)
    with chdir(project), closing(Repository(project, force=options.force)) as repository:
        graph, unchanged = repository.plan(options.stages), repository.survey()
    return {name: name not in unchanged for name in graph.nodes}


def _silence_progress_bars() -> None:
    """DVC draws them on terminals unless the level of their loggers forbids it."""
    for name in ("dvc.progress", "dvc_data.callbacks"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
