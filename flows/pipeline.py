"""The Prefect flow of the pipeline: every stage a task, DVC alone decides what is up to date."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed, State
from typer import Argument

from flows.crash_reporter import CrashReporter
from flows.reporter import PrefectReporter
from flows.supervision import command_line, run_flow, supervised
from kdtasks.orchestrate.project.project import find_project, one_run_at_a_time
from kdtasks.orchestrate.runner.execute import EngineName, RunOptions, execute
from kdtasks.orchestrate.runner.graph import Outcome, StageState
from kdtasks.params import load_project_params


@flow(name="pipeline", persist_result=False)
def pipeline(
    stages: Annotated[list[str] | None, Argument()] = None,
    workers: int | None = None,
    force: bool = False,
    pull: bool = False,
    engine: EngineName = "split",
    push: bool = False,
) -> State[None]:
    """Bring the project of the current folder up to date: only what has changed runs.

    Args:
        stages: Names of stages to bring up to date, with all that they need; none for all.
        workers: How many stages run side by side at most; none for as many as there are cores.
        force: Run stages that have not changed as well.
        pull: Pull missing data and results from the DVC remote.
        engine: What runs the stages; "cli" is slower and calls DVC's command line for each.
        push: Push what each stage wrote as soon as it has ended.
    """
    options = RunOptions(tuple(stages or ()), workers, force, pull, engine, push)

    def steps() -> State[None]:
        project = find_project()
        with only_run(project) as lock:
            return bring_up_to_date(project, options, lock=lock)

    return supervised(steps)


@contextmanager
def only_run(project: Path) -> Iterator[int]:
    """Hold the project's run lock, and watch over the flow run that calls this meanwhile.

    Yields: the lock.

    Raises:
        ProjectError: another run is running.
    """
    with one_run_at_a_time(project) as lock, closing(CrashReporter(project, flow_run.id)):
        yield lock


def bring_up_to_date(project: Path, options: RunOptions, *, lock: int) -> State[None]:
    """Run a project's stages as tasks of the flow run that calls this.

    Returns: the state that the flow run is in after it.

    Raises:
        ParamsError: params.yaml is not complete or holds something that is not allowed.
        ProjectError: a stage does not exist.
    """
    load_project_params(project)
    return flow_state(execute(project, options, PrefectReporter(project), lock=lock))


def flow_state(outcomes: Mapping[str, Outcome]) -> State[None]:
    """The state of a flow run after its stages: completed only if all of them are up to date."""
    counted = Counter(outcome.state for outcome in outcomes.values())
    count = ", ".join(f"{number} {state}" for state, number in counted.items())
    failures = [outcome.text for outcome in outcomes.values() if outcome.state is StageState.FAILED]
    skipped = [name for name, outcome in outcomes.items() if outcome.state is StageState.SKIPPED]
    if failures:
        note = [f"not run: {', '.join(skipped)}"] if skipped else []
        return Failed(message="\n".join([*failures, *note]))
    if counted[StageState.CANCELLED]:
        return Cancelled(message=count)
    return Completed(message=f"{len(outcomes)} stages: {count}")


def run_with_prefect(project: Path, options: RunOptions) -> int:
    """Run the flow in this process; all else as for `run_flow`."""
    parameters = {**asdict(options), "stages": list(options.stages)}
    return run_flow(project, lambda: pipeline(**parameters, return_state=True))


if __name__ == "__main__":
    command_line(pipeline)
