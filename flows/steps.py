"""Steps of a flow that are no stages of the pipeline: a task run each, with logs and an end."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed, State

from kdtasks.commands.project import DVC, child_environment
from kdtasks.errors import KdTasksError, StageError
from kdtasks.runner.command import run_streamed
from kdtasks.runner.engine import LAST_LINES
from kdtasks.runner.guardian import Guardian

Body = Callable[[], State[None]]


@task(name="step", cache_policy=NO_CACHE, persist_result=False, task_run_name="{name}")
def run_step(name: str, body: Body) -> Any:
    """Run one step as a task run of its name; what the user can mend is no traceback."""
    try:
        return body()
    except KdTasksError as error:
        return Failed(message=str(error))


def perform(name: str, body: Body) -> str:
    """Run a step inside a flow run.

    Returns: the message of the state that it ended in.

    Raises:
        StageError: it failed, with that message.
    """
    state = run_step(name, body, return_state=True)
    message = state.message or state.name or ""
    if not state.is_completed():
        raise StageError(message)
    return message


def run_dvc(project: Path, words: Sequence[str], *, lock: int) -> State[None]:
    """Run a command of DVC inside a step, its output as logs.

    Arguments:
        lock: the run lock; as long as something of a killed run is at work, it is held.

    Returns: the state that the step ends in.
    """
    log = get_run_logger()
    last_lines: deque[str] = deque(maxlen=LAST_LINES)

    def keep(line: str) -> None:
        last_lines.append(line)
        log.info(line)

    guardian = Guardian(keep_open=[lock])
    try:
        status = run_streamed(
            [*DVC, *words],
            folder=project,
            environment=child_environment(),
            on_line=keep,
            guardian=guardian,
        )
    finally:
        guardian.close()
    if status != 0:
        said = "\n".join([f"dvc {words[0]} ended with status {status}:", *last_lines])
        return Failed(message=said)
    return Completed(message=last_lines[-1] if last_lines else f"dvc {words[0]}")
