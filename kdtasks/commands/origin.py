"""Where a bundle comes from: the commit, the lock file, and what the test split said of it."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.atomic import read_json
from kdtasks.commands.project import child_environment, find_project
from kdtasks.errors import ProjectError

JUDGED = "metrics/evaluate/"


class Origin(NamedTuple):
    """What a project knows of a bundle of its own.

    Attributes:
        provenance: for the manifest: `git_revision` (null where the project is in no repository),
            `git_changed` (whether tracked files differ from it) and `dvc_lock_sha256`.
        test: content of `metrics/evaluate/<variant>.json`; null where `evaluate` has not judged
            just this bundle.
    """

    provenance: dict[str, Any]
    test: dict[str, Any] | None


def find_origin(folder: Path) -> Origin | None:
    """Look a bundle up in the dvc.lock of the project around it.

    Null where there is no project, or where its dvc.lock does not say that it wrote just these
    files: then nothing is known for sure.

    Arguments:
        folder: of the bundle.
    """
    try:
        project = find_project(folder)
    except ProjectError:
        return None
    lock_file = project / "dvc.lock"
    if not lock_file.is_file():
        return None
    try:
        from kdtasks.commands.lockfile import read_lock

        lock = read_lock(lock_file)
    except ModuleNotFoundError:  # without the pipeline extra nothing here was made by this machine
        return None
    name, found = folder.resolve().relative_to(project).as_posix(), folder_hash(folder)
    if not any(stage.outputs.get(name) == found for stage in lock.values()):
        return None
    provenance = {
        **_git(project),
        "dvc_lock_sha256": hashlib.sha256(lock_file.read_bytes()).hexdigest(),
    }
    for stage in lock.values():
        if stage.inputs.get(name) == found:
            for path, expected in stage.outputs.items():
                if path.startswith(JUDGED) and _has_hash(project / path, expected):
                    return Origin(provenance, read_json(project / path))
    return Origin(provenance, None)


def folder_hash(folder: Path) -> str:
    """The hash that DVC gives a folder: of the list of its files with their hashes."""
    files = [
        {"md5": _md5(path.read_bytes()), "relpath": path.relative_to(folder).as_posix()}
        for path in folder.rglob("*")
        if path.is_file()
    ]
    files.sort(key=lambda file: file["relpath"])
    return _md5(json.dumps(files, sort_keys=True).encode()) + ".dir"


def _has_hash(path: Path, expected: str) -> bool:
    return path.is_file() and _md5(path.read_bytes()) == expected


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _git(project: Path) -> dict[str, Any]:
    revision = _ask_git(project, "rev-parse", "HEAD")
    changed = _ask_git(project, "status", "--porcelain", "--untracked-files=no")
    return {
        "git_revision": revision,
        "git_changed": None if revision is None else bool(changed),
    }


def _ask_git(project: Path, *words: str) -> str | None:
    try:
        ended = subprocess.run(
            ["git", "-C", str(project), *words],
            env=child_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:  # no git on this machine
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None
