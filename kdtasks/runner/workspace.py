"""One run at a time in a project's folder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kdtasks.errors import ProjectError
from kdtasks.runner.guardian import GRACE_SECONDS

PATIENCE_SECONDS = 2 * GRACE_SECONDS


def check_workspace(project: Path) -> None:
    """Raise ProjectError unless the folder is the root of a DVC repository."""
    if not (project / ".dvc").is_dir():
        raise ProjectError(f"{project} has a dvc.yaml but no .dvc; run `dvc init` there first")


@contextmanager
def one_run_at_a_time(project: Path) -> Iterator[int]:
    """Hold the project's run lock; the system releases it however this process ends.

    Yields: the lock's file descriptor; a process that inherits it holds the lock as well.

    Raises:
        ProjectError: another run holds it, or the folder is not under DVC's care.
    """
    check_workspace(project)
    path = project / ".dvc" / "tmp" / "kdtasks-run.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _lock(file):
            file.seek(0)
            holder = file.read().strip()
            # the guardian of a run that was killed holds its lock until all of it has ended
            if _is_gone(holder) and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise ProjectError(
                f"another run (process {holder or 'unknown'}) is at work in {project}; "
                "wait until it has ended, or stop it"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield file.fileno()


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_gone(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (ValueError, PermissionError):
        return False
    return False
