"""The Prefect flow of the pipeline: every stage a task, DVC alone decides what is up to date."""

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from prefect import flow
from prefect.states import Cancelled, Completed, Failed, State

from flows.reporter import PrefectReporter
from flows.supervision import run_flow, run_from_command_line, supervised
from kdtasks.orchestrate.project.project import find_project
from kdtasks.orchestrate.runner.execute import EngineName, RunOptions, execute
from kdtasks.orchestrate.runner.graph import Outcome, StageState
from kdtasks.params import load_project_params


@flow(name="pipeline", persist_result=False)
def pipeline(
    stages: list[str] | None = None,
    workers: int | None = None,
    force: bool = False,
    pull: bool = False,
    engine: EngineName = "split",
) -> State[None]:
    """Bring the project of the current folder up to date: only what has changed runs.

    Args:
        stages: Names of stages to bring up to date, with all that they need; none for all.
        workers: How many stages run side by side at most; none for as many as there are cores.
        force: Run stages that have not changed as well.
        pull: Bring data and results that are missing here from the DVC remote.
        engine: What runs the stages; "cli" is slower and calls DVC's command line for each.
    """
    options = RunOptions(tuple(stages or ()), workers, force, pull, engine)
    return supervised(lambda: bring_up_to_date(find_project(), options))


def bring_up_to_date(project: Path, options: RunOptions, *, lock: int | None = None) -> State[None]:
    """Run a project's stages as tasks of the flow run that calls this.

    Args:
        lock: the run lock, where the caller holds it already and has a witness of the flow run.

    Returns: the state that the flow run is in after it.

    Raises:
        ParamsError: params.yaml is not complete or holds something that is not allowed.
        ProjectError: a stage does not exist, or another run is at work.
    """
    load_project_params(project)
    reporter = PrefectReporter(project, is_witnessed=lock is not None)
    return flow_state(execute(project, options, reporter, lock=lock))


def flow_state(outcomes: Mapping[str, Outcome]) -> State[None]:
    """The state of a flow run after its stages: completed only if all of them are up to date."""
    counted = Counter(outcome.state for outcome in outcomes.values())
    count = ", ".join(f"{number} {state}" for state, number in counted.items())
    failures = [it.text for it in outcomes.values() if it.state is StageState.FAILED]
    skipped = [name for name, it in outcomes.items() if it.state is StageState.SKIPPED]
    if failures:
        note = [f"not run: {', '.join(skipped)}"] if skipped else []
        return Failed(message="\n".join([*failures, *note]))
    if counted[StageState.CANCELLED]:
        return Cancelled(message=count)
    return Completed(message=f"{len(outcomes)} stages: {count}")


def run_with_prefect(project: Path, options: RunOptions) -> int:
    """Run the flow in this process; all else as for `run_flow`."""
    return run_flow(
        project,
        lambda: pipeline(
            stages=list(options.stages),
            workers=options.workers,
            force=options.force,
            pull=options.pull,
            engine=options.engine,
            return_state=True,
        ),
    )


def main() -> None:
    """Run the flow from the command line."""
    parser = argparse.ArgumentParser(description="Run the pipeline as a Prefect flow.")
    parser.add_argument("stages", nargs="*", help="with what they depend on; none for all")
    parser.add_argument("--workers", type=int, help="stages side by side at most")
    parser.add_argument("--force", action="store_true", help="run unchanged stages as well")
    parser.add_argument("--pull", action="store_true", help="bring what is missing from the remote")
    parser.add_argument("--engine", choices=get_args(EngineName), default="split")
    words = parser.parse_args()
    options = RunOptions(tuple(words.stages), words.workers, words.force, words.pull, words.engine)
    run_from_command_line(lambda project: run_with_prefect(project, options))


if __name__ == "__main__":
    main()
