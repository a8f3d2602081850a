"""The Prefect flow that keeps a project and its users fresh: from new data to a new production."""

import argparse
import sys
from pathlib import Path
from typing import get_args

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed, State

from flows.crash_reporter import witnessed
from flows.pipeline import bring_up_to_date
from flows.shipping import Shipment, find_store
from flows.supervision import perform, run_dvc, run_flow, run_from_command_line, supervised
from kdtasks.orchestrate.project.ingest import ingest
from kdtasks.orchestrate.project.project import (
    find_imports,
    find_project,
    find_remote,
    one_run_at_a_time,
)
from kdtasks.orchestrate.runner.execute import EngineName, RunOptions
from kdtasks.params import load_project_params

NO_STORE = (
    "no store is named (KDTASKS_STORE, store.address in params.yaml), so nothing is published"
)


if not __package__:  # `python flows/refresh.py` looks for modules in flows/ only
    sys.path.insert(0, str(Path(__file__).parents[1]))


@flow(name="refresh", persist_result=False)
def refresh(
    source: str | None = None,
    update: bool = True,
    push: bool = True,
    publish: bool = True,
    workers: int | None = None,
    pull: bool = False,
    engine: EngineName = "split",
) -> State[None]:
    """Bring new data in, the project up to date, and the new model to its users if it is good.

    The steps: new images, updated imports, the pipeline, the gate, `dvc push`, publish, promote.
    A store in which nothing could be published ends the run before any of them.
    Whatever fails, and wherever the run is killed, production stays as it is until the last step,
    and the next run goes on. A folder of images that DVC watches needs no step of its own.

    Args:
        source: A folder whose new images are copied into `data.path` first; none for no folder.
        update: Bring the newest version of all that `dvc import` or `dvc import-url` brought.
        push: Push data and results to the DVC remote, where there is one.
        publish: Publish and promote what passes the gate, where a model store is named.
        workers: How many stages run side by side at most; none for as many as there are cores.
        pull: Bring data and results that are missing here from the DVC remote.
        engine: What runs the stages; "cli" is slower and calls DVC's command line for each.
    """
    options = RunOptions((), workers, False, pull, engine)

    def steps() -> State[None]:
        project = find_project()
        with one_run_at_a_time(project) as lock, witnessed(project, str(flow_run.id)):
            check_store(project, publish=publish)
            bring_data(project, source=source, update=update, lock=lock)
            state = bring_up_to_date(project, options, lock=lock)
            if not state.is_completed():
                return state
            told = ship(project, push=push, publish=publish, lock=lock)
        return Completed(message="; ".join([str(state.message), *told]))

    return supervised(steps)


def check_store(project: Path, *, publish: bool) -> None:
    """Fail at once, not after hours of training, where nothing could be published in the end.

    Raises:
        KdTasksError: the address is none, the store does not answer, the alias or the keys are
            not good, or the params are not valid.
    """
    params = load_project_params(project)
    if publish and find_store(params):
        Shipment(project, params).open_store()


def bring_data(project: Path, *, source: str | None, update: bool, lock: int) -> None:
    """Take new images and update imports, as steps of the flow run that calls this.

    Raises:
        KdTasksError: a step failed, or the params are not valid.
    """
    params = load_project_params(project)

    def take() -> State[None]:
        taken = ingest(project / str(source), project, params.data)
        return Completed(message=f"{taken.copied} new files, {taken.known} known ones")

    if source is not None:
        perform("take images", take)
    if update and (imports := find_imports(project)):
        perform("update", lambda: run_dvc(project, ["update", *imports], lock=lock))


def ship(project: Path, *, push: bool, publish: bool, lock: int) -> list[str]:
    """Gate, push, publish and promote, as steps of the flow run that calls this.

    What the gate rejects is pushed to the DVC remote, but not published.

    Returns: what came of it, in words.

    Raises:
        KdTasksError: a step failed.
    """
    told: list[str] = []
    shipment = None
    params = load_project_params(project)
    if publish and find_store(params):
        shipment = Shipment(project, params)
        told.append(perform("gate", shipment.gate))
    elif publish:
        told.append(NO_STORE)
    if push and find_remote(project):
        perform("push", lambda: run_dvc(project, ["push", "--run-cache"], lock=lock))
    if shipment and shipment.decision and shipment.decision.action == "promote":
        told.append(perform("publish", shipment.publish))
        told.append(perform("promote", shipment.promote))
    return told


def main() -> None:
    """Run the flow from the command line."""
    parser = argparse.ArgumentParser(description="Run a refresh as a Prefect flow.")
    parser.add_argument("--source", help="folder whose new images are copied into data.path")
    for word, what in (
        ("update", "leave imports as they are"),
        ("push", "push nothing to the DVC remote"),
        ("publish", "publish nothing"),
    ):
        parser.add_argument(f"--no-{word}", dest=word, action="store_false", help=what)
    parser.add_argument("--workers", type=int, help="stages side by side at most")
    parser.add_argument("--pull", action="store_true", help="bring what is missing from the remote")
    parser.add_argument("--engine", choices=get_args(EngineName), default="split")
    options = vars(parser.parse_args())
    run_from_command_line(
        lambda project: run_flow(project, lambda: refresh(**options, return_state=True))
    )


if __name__ == "__main__":
    main()
