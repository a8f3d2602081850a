"""What a project's folder holds besides its last commit, and one hash of it all."""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from kdtasks.commands.lockfile import overlaps
from kdtasks.errors import ProjectError
from kdtasks.sweep.git import git, paths
from kdtasks.sweep.pipeline import PARAMS_FILE

LEFT_OUT = ("dvc.lock", PARAMS_FILE)  # a point has its own


class WorkingTree(NamedTuple):
    """A project as it is now: its last commit and what differs from it. Paths are relative."""

    project: Path
    top: Path  # of the git repository; the project may be a folder in it
    head: str  # the last commit
    changed: tuple[str, ...]  # files that are not as in the last commit, or not in it
    removed: tuple[str, ...]  # files of the last commit that are gone
    reads: tuple[str, ...]  # files and folders that stages read and none writes
    sources: tuple[str, ...]  # the files there that git does not have

    @property
    def outside(self) -> tuple[str, ...]:
        """What stages read beside the project's folder."""
        return tuple(path for path in self.reads if path.startswith(".."))

    def state(self) -> str:
        """A hash of all there is: a clone of another state is not a clone of this project."""
        return self._hash_of(self.changed, self.removed)

    def inputs(self) -> str:
        """A hash of what stages read and of the last commit: on these, results depend."""
        return self._hash_of(
            *(filter(self._is_read, names) for names in (self.changed, self.removed))
        )

    def _is_read(self, name: str) -> bool:
        return any(overlaps(name, path) for path in self.reads)

    def _hash_of(self, changed: Iterable[str], removed: Iterable[str]) -> str:
        """Data may be many and large: sizes and times stand for files that only stages read."""
        contents = [[name, _hash(self.project / name)] for name in changed]
        listing = []
        for name in self.sources:
            found = (self.project / name).stat()
            listing.append([name, found.st_size, found.st_mtime_ns])
        content = [self.head, contents, list(removed), listing, self.reads]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def last_commit(project: Path) -> str:
    """The commit that a project's experiments belong to.

    Raises:
        ProjectError: there is no git repository, or no commit in it.
    """
    try:
        git(project, "rev-parse", "--git-dir")
    except ProjectError:
        raise ProjectError(
            f"{project} is in no git repository; DVC keeps experiments in git: run `git init`, "
            "`git add` and `git commit` first"
        ) from None
    try:
        return git(project, "rev-parse", "--verify", "HEAD").strip()
    except ProjectError:
        raise ProjectError(
            f"{project} has no commit yet; an experiment needs one to start from: "
            "`git add` and `git commit` first"
        ) from None


def read_working_tree(
    project: Path,
    *,
    reads: Collection[str],
    outputs: Collection[str],
    is_ignored: Callable[[str], bool],
) -> WorkingTree:
    """Compare a project with its last commit.

    Arguments:
        reads: paths that stages read and none writes.
        outputs: paths that stages write.
        is_ignored: whether DVC leaves a file alone, such as one in `__pycache__`.
    """
    head = last_commit(project)
    top = Path(git(project, "rev-parse", "--show-toplevel").rstrip("\n"))
    inside = [path for path in reads if not path.startswith(("..", "/"))]
    untracked = paths(project, "ls-files", "--others", "--exclude-standard")
    differing = paths(project, "diff", "--name-only", "--relative", "HEAD")
    # with ignored files: data is rarely in git
    linked = paths(project, "ls-files", "--others", "--", *inside) if inside else []
    linked = [name for name in linked if not is_ignored(name) and (project / name).exists()]
    kept = [
        name
        for name in (*untracked, *differing)
        if name not in LEFT_OUT
        and not name.startswith(".kdtasks/")
        and not any(overlaps(name, output) for output in outputs)
    ]
    is_linked = set(linked)
    return WorkingTree(
        project,
        top,
        head,
        tuple(name for name in kept if (project / name).is_file() and name not in is_linked),
        tuple(name for name in kept if not os.path.lexists(project / name)),
        tuple(sorted(reads)),
        tuple(linked),
    )


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
