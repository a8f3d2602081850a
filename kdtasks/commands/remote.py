"""Ask DVC for the project's default remote, and the remote whether it answers."""

import subprocess
import sys
from pathlib import Path

from kdtasks.commands.project import DVC, child_environment

# In a process of its own: a network that swallows packets must not hold up this one. Listing
# is asked for, since `exists` takes most errors for a no.
QUESTION = """
import sys
from dvc.repo import Repo
with Repo(sys.argv[1]) as repo:
    storage = repo.cloud.get_remote_odb()
    try:
        storage.fs.ls(storage.path)
    except FileNotFoundError:
        pass  # nothing was pushed yet
"""


def find_remote(project: Path) -> str | None:
    """The name of the default remote; null where none is configured or DVC is not installed."""
    answer = subprocess.run(
        [*DVC, "remote", "default"],
        cwd=project,
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    name = answer.stdout.strip()
    return name if answer.returncode == 0 and len(name.split()) == 1 else None


def reach_remote(project: Path, timeout_seconds: float) -> str | None:
    """Null where the default remote answers in time; else the problem, in one line."""
    try:
        answer = subprocess.run(
            [sys.executable, "-c", QUESTION, str(project)],
            cwd=project,
            env=child_environment(),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {timeout_seconds:g} s"
    if answer.returncode == 0:
        return None
    return (answer.stderr.strip().splitlines() or ["unknown error"])[-1]
