"""One sweep from its grid to its page."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kdtasks.errors import SweepError
from kdtasks.runner.interrupts import uninterrupted
from kdtasks.runner.outcome import Outcome
from kdtasks.runner.reporter import Reporter
from kdtasks.runner.scheduler import Scheduler
from kdtasks.sweep.engine import SweepEngine
from kdtasks.sweep.plan import FOLDER, SweepOptions, SweepPlan, make_plan, sweep_folder
from kdtasks.sweep.results import PointResult, R

LOGS = FOLDER / "logs"


class SweepEnd(NamedTuple):
    """What came out of a sweep."""

    outcomes: Mapping[str, Outcome]  # by label, of what points share as well
    results: Mapping[str, PointResult]  # of the points that ended well, by experiment

    @property
    def is_complete(self) -> bool:
        """Whether every point ended well."""
        return all(outcome.is_up_to_date for outcome in self.outcomes.values())


def execute(plan: SweepPlan[PointResult], reporter: Reporter) -> SweepEnd:
    """Run the points that are not done; one that fails does not stop the others."""
    engine = SweepEngine(plan)
    return SweepEnd(run_points(plan, engine, reporter), engine.results)


def run_points(
    plan: SweepPlan[R], engine: SweepEngine[R], reporter: Reporter
) -> Mapping[str, Outcome]:
    """Let an engine of the plan run its points; returns how each ended, by label."""
    try:
        return Scheduler(
            plan.graph,
            engine,
            reporter,
            workers=plan.workers,
            cores=plan.cores,
            logs=plan.project / LOGS,
        ).run()
    finally:
        with uninterrupted():
            engine.close()


@contextmanager
def planned_sweep(project: Path, options: SweepOptions) -> Iterator[SweepPlan[PointResult]]:
    """Plan a sweep, and keep other sweeps of the project out until the block is through.

    Raises:
        KdTasksError: as `make_plan`; or another sweep is at work.
    """
    with one_sweep_at_a_time(project):
        yield make_plan(project, options)


@contextmanager
def one_sweep_at_a_time(project: Path) -> Iterator[None]:
    """Keep other sweeps of the project out until the block is through.

    Raises:
        SweepError: another sweep is at work.
    """
    path = sweep_folder(project) / "lock"
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SweepError(
                f"another sweep is at work in {project}; wait until it has ended, or stop it"
            ) from None
        yield
