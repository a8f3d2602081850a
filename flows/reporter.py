"""Tell a Prefect server what becomes of the stages of a run."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.states import Cancelled, Completed, Failed
from prefect.states import State as PrefectState

from flows.artifacts import (
    ProgressBar,
    TrainingProgress,
    artifact_key,
    is_published,
    latest_descriptions,
    publish,
    show,
)
from flows.supervision import run_step
from kdtasks.orchestrate.runner.describe import summary
from kdtasks.orchestrate.runner.files import EVENTS, events_path
from kdtasks.orchestrate.runner.graph import OnLine, Outcome, StageGraph, StageNode, StageState
from kdtasks.orchestrate.runner.scheduler import STOPPED

REPORT_STAGE = "report"


run_stage = run_step.with_options(name="stage")


class PrefectReporter:
    """Makes a task run of every stage, with its output as logs, its metrics and its plots.

    To be used inside a flow run. What the server cannot take is a warning in the log: the stages
    go on without it.
    """

    def __init__(self, project: Path, *, progress: str = "progress", unit: str = "stages") -> None:
        """Tell nothing yet.

        Args:
            project: its folder.
            progress: what the progress bar is called, after the project's name.
            unit: of the progress.
        """
        self._project, self._unit = project, unit
        self._lock = threading.Lock()
        self._arrows: dict[str, PrefectState[str]] = {}
        self._latest: dict[str, str | None] = {}
        self._bar = ProgressBar(artifact_key(project.name, progress))
        self._up_to_date = self._total = 0

    def begin(self, graph: StageGraph) -> None:
        """Start the progress bar."""
        self._total = len(graph.nodes)
        self._bar.show(0.0, f"{self._total} {self._unit}")
        self._latest = latest_descriptions(self._project, graph)

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Do `work` inside a task run."""
        outcomes: list[Outcome] = []
        key = artifact_key(self._project.name, node.name, "training")
        training = TrainingProgress(events_path(self._project / EVENTS, node.name), key)

        def body() -> PrefectState[None]:
            log = get_run_logger()

            def on_line(line: str) -> None:
                log.info(line)
                training.update()

            outcomes.append(work(on_line))
            training.update(at_once=True)
            self._publish(node, outcomes[0])
            return task_state(outcomes[0])

        try:
            state = self._run(node, body)
        except SystemExit:  # of rich, once the worker that reads this process's output is gone
            return outcomes[0] if outcomes else Outcome(StageState.CANCELLED, message=STOPPED)
        if not outcomes:  # Prefect did not come to call it
            return Outcome(StageState.FAILED, message=f"stage {node.name}: {state.message}")
        if outcomes[0].is_up_to_date:
            self._show_progress()
        return outcomes[0]

    def skip(self, node: StageNode, outcome: Outcome) -> None:
        """Show a stage that does not run, and what it would have waited for."""
        self._run(node, lambda: task_state(outcome))

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """Attach the report's headline."""
        report = outcomes.get(REPORT_STAGE)
        lines = summary(self._project)
        if report and report.is_up_to_date and lines:
            key = artifact_key(self._project.name, "report")
            text = f"the report, DVC's hash {report.digest}"
            show(lambda: create_markdown_artifact("\n\n".join(lines), key, text))

    def _run(self, node: StageNode, body: Callable[[], PrefectState[None]]) -> PrefectState[None]:
        # a stage is skipped as soon as one that it needs has failed: others may not have begun
        arrows = [self._arrows[need] for need in node.needs if need in self._arrows]
        state = run_stage(node.name, body, wait_for=arrows, return_state=True)
        # nothing waits any more: `wait_for` draws the arrows of the UI's graph, also from stages
        # that were skipped, which Prefect would not let anything wait for
        self._arrows[node.name] = Completed(data=node.name, state_details=state.state_details)
        return state

    def _show_progress(self) -> None:
        with self._lock:
            self._up_to_date += 1
            percent = 100 * self._up_to_date / self._total
            text = f"{self._up_to_date} of {self._total} {self._unit} are up to date"
            show(lambda: self._bar.show(percent, text))

    def _publish(self, node: StageNode, outcome: Outcome) -> None:
        if not outcome.is_up_to_date or not (node.metrics or node.plots):
            return
        is_known = is_published(self._project, node, outcome, self._latest)
        if not (is_known and outcome.state is StageState.CACHED):
            show(lambda: publish(self._project, node, outcome))


def task_state(outcome: Outcome) -> PrefectState[None]:
    """The state of a stage's task run; its name says what DVC found, its message the hash."""
    message = outcome.message or outcome.digest
    match outcome.state:
        case StageState.CACHED | StageState.RESTORED | StageState.PULLED:
            return Completed(name=outcome.state.capitalize(), message=message)
        case StageState.COMPLETED:
            return Completed(message=f"{outcome.seconds:.1f} s, {message}")
        case StageState.SKIPPED:
            # a state of its own that is final: Prefect's NotReady would look like still to come
            return Cancelled(name="Skipped", message=message)
        case StageState.CANCELLED:
            return Cancelled(message=message)
        case _:
            return Failed(message=outcome.text)
