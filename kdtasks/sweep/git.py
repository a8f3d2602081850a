"""Calls of git."""

import subprocess
from pathlib import Path

from kdtasks.commands.project import child_environment
from kdtasks.errors import ProjectError


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it prints.

    Raises:
        ProjectError: git is not installed or refuses; the message holds its own.
    """
    try:
        ended = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise ProjectError("git is not installed; a sweep keeps its points in git") from None
    if ended.returncode != 0:
        reason = " ".join(ended.stderr.decode(errors="replace").split())
        raise ProjectError(f"`git {words[0]}` failed in {folder}: {reason}")
    return ended.stdout.decode(errors="surrogateescape")


def paths(folder: Path, command: str, *words: str) -> list[str]:
    """Run a command of git that lists paths, and return them sorted."""
    return sorted(set(git(folder, command, "-z", *words).split("\0")) - {""})


def setting(folder: Path, key: str) -> str | None:
    """A setting of git; none where it is not set."""
    try:
        return git(folder, "config", "--get", key).strip()
    except ProjectError:
        return None
