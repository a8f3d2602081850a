"""The Prefect flow: every DVC stage once, as a task; DVC alone decides what is up to date."""

import argparse
import os
import threading
from collections import deque
from pathlib import Path
from typing import Any

# before prefect is imported: a fresh database makes its own server slow to start
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import Completed, State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.dag import read_graph
from kdtasks.commands.process import run_streamed
from kdtasks.commands.project import DVC, child_environment, find_project
from kdtasks.errors import KdTasksError, StageError

LAST_LINES = 20


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="{name}")
def reproduce(name: str, project: Path, force: bool, cancelled: threading.Event) -> Any:
    """Bring one stage up to date; what it needs is up to date already.

    Returns: the stage's name, as a state named `Cached` where DVC found nothing to do.

    Raises:
        StageError: the stage failed; the message ends in its last 20 lines.
    """
    logger = get_run_logger()
    last_lines: deque[str] = deque(maxlen=LAST_LINES)
    unchanged = f"Stage '{name}' didn't change, skipping"
    found_unchanged = False

    def log(line: str) -> None:
        nonlocal found_unchanged
        found_unchanged = found_unchanged or line.strip() == unchanged
        if line.strip():
            last_lines.append(line)
            logger.info(line)

    if cancelled.is_set():
        raise StageError(f"stage {name} was not started: the flow was stopped")
    status = run_streamed(
        # --wait-for-lock is DVC's own flag, not repro's: it goes first
        [*DVC, "--wait-for-lock", "repro", *["--force"] * force, "--single-item", name],
        folder=project,
        environment=child_environment(),
        on_line=log,
        is_cancelled=cancelled.is_set,
    )
    if status != 0:
        raise StageError(
            f"stage {name} ended with status {status}; its last lines:\n" + "\n".join(last_lines)
        )
    return Completed(name="Cached", data=name) if found_unchanged else name


@flow(name="kdtasks")
def pipeline(force: bool = False, workers: int = 1) -> None:
    """Bring the whole project up to date, one task a stage, in the project of this folder.

    Arguments:
        force: run stages that did not change as well.
        workers: stages that may run side by side; each uses `runtime.threads` threads.

    Raises:
        StageError: a stage failed; what depends on it did not run, everything else did.
    """
    project = find_project()
    graph = read_graph(project)
    cancelled = threading.Event()
    futures: dict[str, PrefectFuture[Any]] = {}
    task_runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=workers)
    with task_runner as runner:
        try:
            for name in graph.stages:
                futures[name] = runner.submit(
                    reproduce,
                    {"name": name, "project": project, "force": force, "cancelled": cancelled},
                    wait_for=[futures[needed] for needed in graph.dependencies[name]],
                )
            for future in futures.values():
                future.wait()
        except BaseException:
            cancelled.set()  # the tasks' threads end their process groups
            raise
    raise_first_failure({name: future.state for name, future in futures.items()})


def raise_first_failure(states: dict[str, State[Any]]) -> None:
    """Raise the first failed stage's error; name the stages that did not run because of it."""
    for name, state in states.items():
        if state.is_failed() or state.is_crashed():
            skipped = [other for other, s in states.items() if s.name == "NotReady"]
            note = f"\nnot run: {', '.join(skipped)}" if skipped else ""
            raise StageError(f"{state.message or f'stage {name} failed'}{note}")


def main() -> None:
    """Run the flow from the command line."""
    parser = argparse.ArgumentParser(description="Run the pipeline as a Prefect flow.")
    parser.add_argument("--force", action="store_true", help="run unchanged stages as well")
    parser.add_argument("--workers", type=int, default=1, help="stages side by side")
    arguments = parser.parse_args()
    try:
        pipeline(force=arguments.force, workers=arguments.workers)
    except KdTasksError as error:
        raise SystemExit(f"error: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
