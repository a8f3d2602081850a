"""The Prefect flow that keeps a project fresh: new data, then the pipeline."""

import os
from collections import deque
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed, State

from flows.pipeline import bring_up_to_date
from flows.supervision import supervised
from kdtasks.commands.project import DVC, child_environment, find_project
from kdtasks.runner.command import run_streamed
from kdtasks.runner.engine import LAST_LINES
from kdtasks.runner.execute import EngineName, RunOptions
from kdtasks.runner.guardian import Guardian


@flow(name="refresh", persist_result=False)
def refresh(
    update: bool = True,
    workers: int | None = None,
    pull: bool = False,
    engine: EngineName = "split",
) -> State[None]:
    """Bring new data in, then bring the project of the current folder up to date with them.

    A folder of pictures that DVC watches needs no step of its own: the pipeline sees what is new.

    Args:
        update: Bring the newest version of all that `dvc import` or `dvc import-url` brought.
        workers: How many stages run side by side at most; none for as many as there are cores.
        pull: Bring data and results that are missing here from the DVC remote.
        engine: What runs the stages; "cli" is slower and calls DVC's command line for each.
    """

    def steps() -> State[None]:
        project = find_project()
        if update and (imports := find_imports(project)):
            updated = update_imports(project, imports, return_state=True)
            if not updated.is_completed():
                return Failed(message=updated.message)
        return bring_up_to_date(project, RunOptions((), workers, False, pull, engine))

    return supervised(steps)


@task(name="update imports", cache_policy=NO_CACHE, persist_result=False, task_run_name="update")
def update_imports(project: Path, imports: list[str]) -> Any:
    """Bring the newest version of imported data, with `dvc update`.

    Returns: the state that the task run ends in.
    """
    log = get_run_logger()
    last_lines: deque[str] = deque(maxlen=LAST_LINES)

    def keep(line: str) -> None:
        last_lines.append(line)
        log.info(line)

    guardian = Guardian()
    try:
        status = run_streamed(
            [*DVC, "update", *imports],
            folder=project,
            environment=child_environment(),
            on_line=keep,
            guardian=guardian,
        )
    finally:
        guardian.close()
    if status != 0:
        words = "\n".join([f"dvc update ended with status {status}:", *last_lines])
        return Failed(message=words)
    return Completed(message=", ".join(imports))


def find_imports(project: Path) -> list[str]:
    """The .dvc files of imports, relative to the project: those that say where data come from."""
    from ruamel.yaml import YAML

    read = YAML(typ="safe", pure=True).load
    found = []
    for folder, folders, files in os.walk(project):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder, name) for name in sorted(files) if name.endswith(".dvc")):
            if (read(path.read_text(encoding="utf-8")) or {}).get("deps"):
                found.append(path.relative_to(project).as_posix())
    return found
