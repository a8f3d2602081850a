"""Run a point in a clone of the project and make it an experiment of the project."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, NamedTuple

from kdtasks.core.errors import KdTasksError, SweepError
from kdtasks.core.locks import locked_if_free
from kdtasks.orchestrate.guardian import GRACE_SECONDS, Guardian
from kdtasks.orchestrate.processes import run_streamed, uninterrupted
from kdtasks.orchestrate.project.clone import clone_mark, make_clone, remove_clone
from kdtasks.orchestrate.project.git import WorkingTree, fetch_experiment, save_experiment
from kdtasks.orchestrate.project.project import Start, child_environment, start_cold
from kdtasks.orchestrate.runner.files import first_failure, run_events
from kdtasks.orchestrate.runner.graph import IsCancelled, OnLine, Outcome, RunObserver, StageState
from kdtasks.orchestrate.runner.scheduler import Scheduler
from kdtasks.orchestrate.sweep.jobs import Job
from kdtasks.orchestrate.sweep.plan import (
    FOLDER,
    SweepOptions,
    SweepPlan,
    clone_path,
    plan_sweep,
    result_path,
    sweep_folder,
)
from kdtasks.orchestrate.sweep.results import PointResult, R, keep_result
from kdtasks.orchestrate.warm.commands import WarmCommands
from kdtasks.orchestrate.warm.server import LastServer
from kdtasks.orchestrate.warm.stages import SharedStages

LOGS = FOLDER / "logs"
SNAPSHOT = "snapshot"  # name of the clone of the project as it was planned


class SweepEngine(Generic[R]):
    """An engine of the runner's scheduler whose stages are the points of a sweep."""

    files: Sequence[Path] = ()  # that an experiment has besides what stages write

    def __init__(self, plan: SweepPlan[R]) -> None:
        self._plan = plan
        self._one_fetch = threading.Lock()
        self._one_snapshot = threading.Lock()
        self._snapshot: WorkingTree | None = None
        self._commands, self._stages = LastServer(WarmCommands), LastServer(SharedStages)
        self.results: dict[str, R] = dict(plan.done)  # by experiment

    def survey(self) -> frozenset[str]:
        """The points that are done; clones of another state of the project are removed."""
        for folder in clone_path(self._plan.project, "").glob("*"):
            if clone_mark(folder, self._plan.tree) != self._plan.state:
                remove_clone(folder)
        return frozenset(
            point.label for point in self._plan.points if point.experiment in self._plan.done
        )

    def bring_up_to_date(self, name: str, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        """Run a point, or what several share, to its end."""
        job = self._plan.jobs[name]
        if job.is_point and job.point.experiment in self._plan.done:
            return Outcome(StageState.CACHED)
        try:
            return self._run(job, on_line, is_cancelled)
        except KdTasksError as error:
            raise SweepError(f"{name}: {error}") from error

    def run(self, reporter: RunObserver) -> Mapping[str, Outcome]:
        """Run the points that are not done; returns how each ended, by label.

        One that fails does not stop the others.
        """
        plan = self._plan
        self._guardian = Guardian()
        try:
            return Scheduler(
                plan.graph,
                self,
                reporter,
                workers=plan.workers,
                cores=plan.cores,
                logs=plan.project / LOGS,
            ).run()
        finally:
            with uninterrupted():
                self._guardian.close()
                self._commands.close()
                self._stages.close()
                remove_clone(clone_path(plan.project, SNAPSHOT))

    def _run(self, job: Job, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        folder, tree = clone_path(self._plan.project, job.clone), self._planned_tree()
        stages = self._stages.of((tree.project, job.point.params.runtime))
        if self._plan.uses_tensorflow:
            stages.begin()
        clone = self._make_clone(tree, folder, job.point.text)
        words = (*job.stages, "--workers", str(job.workers))
        if not run_in_clone(
            clone,
            words,
            on_line,
            is_cancelled,
            self._guardian,
            start=self._commands.of(tree.project).words,
            variables=stages.for_runs(),
        ):
            return Outcome(StageState.CANCELLED, message="stopped")
        digest = self._keep(job, clone) if job.is_point else ""
        remove_clone(folder)
        return Outcome(StageState.COMPLETED, digest)

    def _planned_tree(self) -> WorkingTree:
        """A clone of the project, of which all others are made: it may be edited meanwhile."""
        with self._one_snapshot:
            if not self._snapshot:
                plan, folder = self._plan, clone_path(self._plan.project, SNAPSHOT)
                clone = self._make_clone(plan.tree, folder, "")
                if plan.tree.state() != plan.state:
                    remove_clone(folder)
                    raise SweepError("the project changed while the sweep began; start it again")
                self._snapshot = plan.tree._replace(project=clone, top=folder)
            return self._snapshot

    def _make_clone(self, tree: WorkingTree, folder: Path, text: str) -> Path:
        plan = self._plan
        return make_clone(tree, folder, params_text=text, cache=plan.cache, mark=plan.state)

    def _keep(self, job: Job, clone: Path) -> str:
        """Make a finished run an experiment of the project, and keep its metrics."""
        plan, name = self._plan, job.point.experiment
        result = self._read(job, clone)
        save_experiment(clone, plan.tree.head, name, files=self.files)
        with self._one_fetch:
            commit = fetch_experiment(plan.project, clone, plan.tree.head, name)
        keep_result(result_path(plan.project, job.point), plan.inputs[name], result)
        self.results[name] = result
        return commit

    def _read(self, job: Job, clone: Path) -> R:
        return self._plan.kind.read(clone, job.point.params)


def run_in_clone(
    clone: Path,
    words: Sequence[str],
    on_line: OnLine,
    is_cancelled: IsCancelled,
    guardian: Guardian,
    start: Start = start_cold,
    variables: Mapping[str, str] | None = None,
) -> bool:
    """Run `kdtasks run` with stages and options in a clone; returns whether it came to its end.

    Args:
        variables: that join its environment.

    Raises:
        SweepError: a stage failed.
    """
    _wait_for_killed_run(clone)
    events = run_events(clone)
    events.unlink(missing_ok=True)  # of a killed run
    status = run_streamed(
        start("kdtasks", "run", *words, "--no-prefect"),
        folder=clone,
        environment={**child_environment(), **(variables or {})},
        on_line=on_line,
        is_cancelled=is_cancelled,
        guardian=guardian,
    )
    if is_cancelled():
        return False
    if status != 0:
        raise SweepError(first_failure(events) or f"`kdtasks run` ended with status {status}")
    return True


def _wait_for_killed_run(clone: Path) -> None:
    """Let what a killed sweep has left behind in a clone end: its guardian is about to."""
    path = clone / ".dvc" / "tmp" / "kdtasks-run.lock"
    deadline = time.monotonic() + 3 * GRACE_SECONDS
    while path.is_file() and time.monotonic() < deadline:
        with locked_if_free(path) as lock:
            if lock is not None:
                return
        time.sleep(0.2)


class SweepEnd(NamedTuple):
    """What came out of a sweep."""

    outcomes: Mapping[str, Outcome]  # by label, of what points share as well
    results: Mapping[str, PointResult]  # of the points that ended well, by experiment

    @property
    def is_complete(self) -> bool:
        """Whether every point ended well."""
        return all(outcome.is_up_to_date for outcome in self.outcomes.values())


def execute(plan: SweepPlan[PointResult], reporter: RunObserver) -> SweepEnd:
    """Run the points that are not done; one that fails does not stop the others."""
    engine = SweepEngine(plan)
    return SweepEnd(engine.run(reporter), engine.results)


@contextmanager
def planned_sweep(project: Path, options: SweepOptions) -> Iterator[SweepPlan[PointResult]]:
    """Plan a sweep, and keep other sweeps of the project out until the block is through.

    Raises:
        KdTasksError: as `plan_sweep`; or another sweep is running.
    """
    with one_sweep_at_a_time(project):
        yield plan_sweep(project, options)


@contextmanager
def one_sweep_at_a_time(project: Path) -> Iterator[None]:
    """Keep other sweeps of the project out until the block is through.

    Raises:
        SweepError: another sweep is running.
    """
    with locked_if_free(sweep_folder(project) / "lock") as lock:
        if lock is None:
            raise SweepError(
                f"another sweep is running in {project}; wait until it has ended, or stop it"
            )
        yield
