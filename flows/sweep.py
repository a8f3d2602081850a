"""The Prefect flow of a sweep: every point of a grid of params a task."""

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_progress_artifact, create_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed, State

from flows.artifacts import artifact_key
from flows.crash_reporter import Witness
from flows.pipeline import flow_state
from flows.reporter import PrefectReporter
from flows.supervision import supervised
from kdtasks.core.text import plain
from kdtasks.orchestrate.project.project import find_project
from kdtasks.orchestrate.runner.graph import Outcome, StageGraph
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
    with planned_sweep(project, options) as plan:
        end = execute(plan, SweepReporter(project))
        summary = summarise(plan, end)
        page = write_page(default_folder(plan), plan.grid, options, summary)
    create_table_artifact(
        table=table_rows(summary),
        key=artifact_key(project.name, "sweep"),
        description=f"{headline(summary)}\n\n[The page]({page.as_uri()})",
    )
    return (
        Completed(message=plain(headline(summary))) if end.is_complete else flow_state(end.outcomes)
    )


class SweepReporter(PrefectReporter):
    """Makes a task run of every point, with its output as logs."""

    def begin(self, graph: StageGraph) -> None:
        """Start the progress bar."""
        self._total = len(graph.nodes)
        # a note of its own: the pipeline of the project may be at work meanwhile
        self._witness = Witness(self._project / FOLDER, flow_run.id)
        key = artifact_key(self._project.name, "sweep-progress")
        progress = create_progress_artifact(0.0, key, f"{self._total} runs")
        assert isinstance(progress, UUID)  # not a coroutine: this is no async function
        self._progress = progress

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """From here on the flow run says itself how it ended."""
        if self._witness:
            self._witness.dismiss()
