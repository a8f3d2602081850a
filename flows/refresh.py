"""The Prefect flow that keeps a project and its users fresh: from new data to a new production."""

from pathlib import Path

from prefect import flow
from prefect.states import Completed, State

from flows.pipeline import bring_up_to_date, only_run
from flows.shipping import Shipment, find_store
from flows.supervision import command_line, perform, run_dvc, supervised
from kdtasks.orchestrate.project.ingest import ingest
from kdtasks.orchestrate.project.project import find_imports, find_project, find_remote
from kdtasks.orchestrate.runner.execute import EngineName, RunOptions
from kdtasks.params import load_project_params

NO_STORE = (
    "no store is named (KDTASKS_STORE, store.address in params.yaml), so nothing is published"
)


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
    and the next run resumes. A folder of images that DVC watches needs no step of its own.

    Args:
        source: A folder whose new images are copied into `data.path` first; none for no folder.
        update: Bring the newest version of all that `dvc import` or `dvc import-url` brought.
        push: Push data and results to the DVC remote, where there is one.
        publish: Publish and promote what passes the gate, where a model store is named.
        workers: How many stages run side by side at most; none for as many as there are cores.
        pull: Pull missing data and results from the DVC remote.
        engine: What runs the stages; "cli" is slower and calls DVC's command line for each.
    """
    options = RunOptions((), workers, False, pull, engine)

    def steps() -> State[None]:
        project = find_project()
        with only_run(project) as lock:
            params = load_project_params(project)
            shipment = Shipment(project, params) if publish and find_store(params) else None
            if shipment:  # fails at once, not after hours of training
                _ = shipment.objects
            bring_data(project, source=source, update=update, lock=lock)
            state = bring_up_to_date(project, options, lock=lock)
            if not state.is_completed():
                return state
            lines = ship(project, shipment, push=push, lock=lock)
            if publish and not shipment:
                lines.append(NO_STORE)
        return Completed(message="; ".join([str(state.message), *lines]))

    return supervised(steps)


def bring_data(project: Path, *, source: str | None, update: bool, lock: int) -> None:
    """Ingest new images and update imports, as steps of the flow run that calls this.

    Raises:
        KdTasksError: a step failed, or the params are not valid.
    """
    params = load_project_params(project)

    def take() -> State[None]:
        taken = ingest(project / str(source), project, params.data)
        return Completed(message=f"{taken.copied} new files, {taken.known} known ones")

    if source is not None:
        perform("ingest", take)
    if update and (imports := find_imports(project)):
        perform("update", lambda: run_dvc(project, ["update", *imports], lock=lock))


def ship(project: Path, shipment: Shipment | None, *, push: bool, lock: int) -> list[str]:
    """Gate, push, publish and promote, as steps of the flow run that calls this.

    What the gate rejects is pushed to the DVC remote, but not published.

    Returns: what came of it, in words.

    Raises:
        KdTasksError: a step failed.
    """
    lines = [perform("gate", shipment.gate)] if shipment else []
    if push and find_remote(project):
        perform("push", lambda: run_dvc(project, ["push", "--run-cache"], lock=lock))
    if shipment and shipment.decision and shipment.decision.action == "promote":
        lines += [perform("publish", shipment.publish), perform("promote", shipment.promote)]
    return lines


if __name__ == "__main__":
    command_line(refresh)
