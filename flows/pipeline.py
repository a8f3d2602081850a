"""The Prefect flow of the pipeline: every stage a task, DVC alone decides what is up to date."""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import get_args

import httpx
from prefect import flow
from prefect.context import refresh_global_settings_context
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.states import Cancelled, Completed, Failed, State

from flows.reporter import PrefectReporter
from flows.supervision import supervised
from kdtasks.commands.project import find_project
from kdtasks.commands.server import prefect_server
from kdtasks.errors import KdTasksError, ProjectError
from kdtasks.params import load_project_params
from kdtasks.runner.execute import EngineName, RunOptions, execute
from kdtasks.runner.interrupts import stop_signals
from kdtasks.runner.outcome import Outcome
from kdtasks.runner.outcome import State as StageState

SENDING_SECONDS = 10.0  # the last logs and states of a run


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


def bring_up_to_date(project: Path, options: RunOptions) -> State[None]:
    """Run a project's stages as tasks of the flow run that calls this.

    Returns: the state that the flow run is in after it.

    Raises:
        ParamsError: params.yaml is not complete or holds something that is not allowed.
        ProjectError: a stage does not exist, or another run is at work.
    """
    load_project_params(project)
    return flow_state(execute(project, options, PrefectReporter(project)))


def flow_state(outcomes: Mapping[str, Outcome]) -> State[None]:
    """The state of a flow run after its stages: completed only if all of them are up to date."""
    counted = Counter(outcome.state for outcome in outcomes.values())
    count = ", ".join(f"{number} {state}" for state, number in counted.items())
    failures = [it.message for it in outcomes.values() if it.state is StageState.FAILED]
    skipped = [name for name, it in outcomes.items() if it.state is StageState.SKIPPED]
    if failures:
        note = [f"not run: {', '.join(skipped)}"] if skipped else []
        return Failed(message="\n".join([*failures, *note]))
    if counted[StageState.CANCELLED]:
        return Cancelled(message=count)
    return Completed(message=f"{len(outcomes)} stages: {count}")


def run_with_prefect(project: Path, options: RunOptions) -> int:
    """Run the flow in this process, against the server that PREFECT_API_URL names by now.

    Returns: the exit status: 0; 1 after a failure, printed in one block; 130 if it was stopped.

    Raises:
        ProjectError: the server does not answer any more, or refuses.
    """
    with chdir(project):
        refresh_global_settings_context()
        try:
            state = pipeline(
                stages=list(options.stages),
                workers=options.workers,
                force=options.force,
                pull=options.pull,
                engine=options.engine,
                return_state=True,
            )
        except KeyboardInterrupt:  # before the flow run had begun, or after it had ended
            return 130
        except Exception as error:
            if not any(isinstance(it, httpx.HTTPError) for it in (error, error.__cause__)):
                raise
            raise ProjectError(
                f"the Prefect server failed ({error}), so it does not know how this run ended; "
                "`kdtasks run --no-prefect` goes on without it"
            ) from None
        finally:  # the server may be a temporary one
            APILogWorker.drain_all(timeout=SENDING_SECONDS)
            EventsWorker.drain_all(timeout=SENDING_SECONDS)
    if state.is_completed():
        return 0
    if state.is_cancelled():
        return 130
    print(f"error: {state.message}", file=sys.stderr)
    return 1


def main() -> None:
    """Run the flow from the command line, on the configured server or a temporary one."""
    parser = argparse.ArgumentParser(description="Run the pipeline as a Prefect flow.")
    parser.add_argument("stages", nargs="*", help="with what they depend on; none for all")
    parser.add_argument("--workers", type=int, help="stages side by side at most")
    parser.add_argument("--force", action="store_true", help="run unchanged stages as well")
    parser.add_argument("--pull", action="store_true", help="bring what is missing from the remote")
    parser.add_argument("--engine", choices=get_args(EngineName), default="split")
    words = parser.parse_args()
    options = RunOptions(tuple(words.stages), words.workers, words.force, words.pull, words.engine)
    try:
        project = find_project()
        with stop_signals(), prefect_server(project, wanted=True):
            raise SystemExit(run_with_prefect(project, options))
    except KdTasksError as error:
        raise SystemExit(f"error: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
