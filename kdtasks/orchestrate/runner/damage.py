"""Find and mend files of DVC's cache that changed on the disk behind its back.

DVC takes a file whose time and size are as before for unchanged: a flipped bit stays unseen, and
where the workspace shares its files with the cache, it is in both.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import ProjectError
from kdtasks.core.files import partial_beside
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.project.lockfile import read_lock
from kdtasks.orchestrate.project.project import DVC, run_captured

FOLDER = ".dir"  # ending of the hash of a list of files
DAY_SECONDS = 24 * 3600


class DamagedFile(NamedTuple):
    """A file of the cache that is not what its name says."""

    stage: str
    path: Path  # in the workspace, from the project
    hash: str
    cached: Path


def find_damaged(project: Path) -> list[DamagedFile]:
    """Hash all that the cache holds of the outputs in dvc.lock; what it lacks is not damaged."""
    lock = ProjectPaths(project).lock
    if not lock.is_file():
        return []
    from dvc.repo import Repo  # seconds to import: not for a run with nothing to do

    with Repo(str(project)) as repo:
        root = Path(repo.cache.local.path)
    damaged = {
        file.cached: file
        for name, stage in read_lock(lock).items()
        for path, value in stage.outputs.items()
        for file in _objects(root, name, Path(path), value)
        if file.cached.is_file() and not _is_whole(file.cached, file.hash)
    }
    return list(damaged.values())


def repair(project: Path, damaged: Sequence[DamagedFile]) -> list[DamagedFile]:
    """Replace damaged files: from the workspace where it has its own copy, else from the remote.

    Returns: those of which no whole copy was found; they are gone, and a run makes them anew.
    """
    for file in damaged:
        file.cached.unlink()
        workspace = project / file.path
        if workspace.is_file() and _is_whole(workspace, file.hash):
            with partial_beside(file.cached) as partial:
                shutil.copyfile(workspace, partial)
                partial.chmod(0o444)
                partial.replace(file.cached)
        elif workspace.is_file():
            workspace.unlink()
    lost = [file for file in damaged if not file.cached.is_file()]
    if lost:
        stages = sorted({file.stage for file in lost})
        run_captured(project, *DVC, "fetch", *stages)  # what it says of the rest is seen below
    run_captured(project, *DVC, "checkout", "--force", *sorted({file.stage for file in damaged}))
    return [file for file in lost if not file.cached.is_file()]


def is_check_due(project: Path) -> bool:
    """Whether no run has looked at the cache for a day."""
    stamp = _stamp(project)
    return not stamp.is_file() or time.time() - stamp.stat().st_mtime >= DAY_SECONDS


def postpone_check(project: Path) -> None:
    """Have no run look at the cache for a day."""
    _stamp(project).parent.mkdir(exist_ok=True)
    _stamp(project).touch()


def check_cache(project: Path) -> None:
    """Refuse to build on outputs that are damaged.

    Raises:
        ProjectError: some are.
    """
    if damaged := find_damaged(project):
        raise ProjectError(
            f"{len(damaged)} cached files changed on the disk since they were written, such as "
            f"{damaged[0].path} of {damaged[0].stage}; `kdtasks verify --cache` mends them"
        )
    postpone_check(project)


def _stamp(project: Path) -> Path:
    return project / ".dvc" / "tmp" / "kdtasks-cache-checked"


def _objects(root: Path, stage: str, path: Path, value: str) -> Iterator[DamagedFile]:
    """What the cache holds of an output: its file, or a list of files and all on it."""
    cached = root / value[:2] / value[2:]
    yield DamagedFile(stage, path, value, cached)
    if not value.endswith(FOLDER) or not cached.is_file() or not _is_whole(cached, value):
        return
    for entry in json.loads(cached.read_text(encoding="utf-8")):
        name = entry["md5"]
        yield DamagedFile(stage, path / entry["relpath"], name, root / name[:2] / name[2:])


def _is_whole(path: Path, value: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == value.removesuffix(FOLDER)
