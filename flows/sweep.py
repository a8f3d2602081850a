"""The Prefect flow of a sweep: every point of a grid of params a task."""

from contextlib import closing
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed, State

from flows.artifacts import artifact_key
from flows.crash_reporter import CrashReporter
from flows.pipeline import flow_state
from flows.reporter import PrefectReporter
from flows.supervision import command_line, supervised
from kdtasks.core.text import plain
from kdtasks.orchestrate.project.project import find_project
from kdtasks.orchestrate.sweep.engine import execute, planned_sweep
from kdtasks.orchestrate.sweep.page import default_folder, write_page
from kdtasks.orchestrate.sweep.plan import FOLDER, SweepOptions
from kdtasks.orchestrate.sweep.summary import headline, summarise, table_rows


@flow(name="sweep", persist_result=False)
def sweep(settings: list[str], seeds: int | None = None, workers: int | None = None) -> State[None]:
    """Run every combination of some params, each a DVC experiment, and compare them over seeds.

    Points that are done stay; one that fails does not stop the others.

    Args:
        settings: Keys of params.yaml and their values, as in "distill.alpha=0.1,0.5,0.9".
        seeds: How many seeds every point has, from 0 on; none for those of params.yaml.
        workers: How many points run side by side at most; none for as many as the cores hold.
    """
    options = SweepOptions(tuple(settings), seeds, workers)
    return supervised(lambda: compare_points(find_project(), options))


def compare_points(project: Path, options: SweepOptions) -> State[None]:
    """Run the points of a grid as tasks of the flow run that calls this, and show the table.

    Returns: the state that the flow run is in after it.

    Raises:
        KdTasksError: the grid, a point or the project is not as it has to be.
    """
    reporter = PrefectReporter(project, progress="sweep-progress", unit="runs")
    # a note of its own: the pipeline of the project may be running meanwhile
    notes = project / FOLDER
    with planned_sweep(project, options) as plan, closing(CrashReporter(notes, flow_run.id)):
        end = execute(plan, reporter)
        summary = summarise(plan, end)
        page = write_page(default_folder(plan), plan.grid, options, summary)
    create_table_artifact(
        table=table_rows(summary),
        key=artifact_key(project.name, "sweep"),
        description=f"{headline(summary)}\n\n[The page]({page.as_uri()})",
    )
    if end.is_complete:
        return Completed(message=plain(headline(summary)))
    return flow_state(end.outcomes)


if __name__ == "__main__":
    command_line(sweep)
