"""Calls of git."""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from kdtasks.core.errors import ProjectError
from kdtasks.core.paths import LOCK, PARAMS
from kdtasks.orchestrate.project.lockfile import overlaps
from kdtasks.orchestrate.project.project import run_captured

LEFT_OUT = (LOCK, PARAMS)  # a point has its own
SNAPSHOT = "refs/kdtasks/snapshot"  # in the bundle of `bundle_snapshot`

# Of what nobody commits by hand: git wants a name, and a machine may have none.
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "kdtasks"), ("EMAIL", "kdtasks@localhost"))
}


def git(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> str:
    """Run git in a folder and return what it prints; `variables` join its environment.

    Raises:
        ProjectError: git is not installed or refuses; the message holds its own.
    """
    try:
        ended = run_captured(folder, "git", *words, timeout_seconds=None, **(variables or {}))
    except FileNotFoundError:
        raise ProjectError(
            "git is not installed; install it, since it keeps a project's files and experiments"
        ) from None
    if ended.returncode != 0:
        reason = " ".join(ended.stderr.split())
        raise ProjectError(f"`git {words[0]}` failed in {folder}: {reason}")
    return ended.stdout


def try_git(folder: Path, *words: str) -> str | None:
    """What git prints, without white space around it; None where it is missing or refuses."""
    try:
        return git(folder, *words).strip()
    except ProjectError:
        return None


def paths(folder: Path, command: str, *words: str) -> list[str]:
    """Run a command of git that lists paths, and return them sorted."""
    return sorted(set(git(folder, command, "-z", *words).split("\0")) - {""})


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
        changed, removed = (
            [name for name in names if any(overlaps(name, path) for path in self.reads)]
            for names in (self.changed, self.removed)
        )
        return self._hash_of(changed, removed)

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
    if try_git(project, "rev-parse", "--git-dir") is None:
        raise ProjectError(
            f"{project} is in no git repository; DVC keeps experiments in git: run `git init`, "
            "`git add` and `git commit` first"
        )
    head = try_git(project, "rev-parse", "--verify", "HEAD")
    if head is None:
        raise ProjectError(
            f"{project} has no commit yet; an experiment needs one to start from: "
            "`git add` and `git commit` first"
        )
    return head


def read_working_tree(
    project: Path,
    *,
    reads: Collection[str],
    outputs: Collection[str],
    is_ignored: Callable[[str], bool],
) -> WorkingTree:
    """Compare a project with its last commit.

    Args:
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
    changed = (name for name in kept if (project / name).is_file() and name not in is_linked)
    removed = (name for name in kept if not os.path.lexists(project / name))
    found = (tuple(names) for names in (changed, removed, sorted(reads), linked))
    return WorkingTree(project, top, head, *found)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reference(head: str, name: str) -> str:
    """The git reference under which DVC looks for an experiment that starts from a commit."""
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"


def saved_experiments(project: Path, head: str) -> set[str]:
    """The names of a project's experiments that start from a commit."""
    start = reference(head, "")
    return {
        ref.removeprefix(start)
        for ref in git(project, "for-each-ref", "--format=%(refname)", start).splitlines()
    }


def save_experiment(clone: Path, head: str, name: str, *, files: Sequence[Path] = ()) -> None:
    """Make what is in a clone an experiment there: git's files, dvc.lock and params as they are.

    It is what `dvc exp save` would make, without its second look at stages that have just run.

    Args:
        head: the commit that it starts from.
        files: that belong to it besides, and that git need not know.

    Raises:
        ProjectError: one of the files is not there.
    """
    git(clone, "add", "--update", "--", ":/")
    git(clone, "add", "--force", "--", LOCK, PARAMS, *map(str, files))
    _commit(clone, head, name, git(clone, "write-tree").strip())


def changed_tree(project: Path) -> str:
    """The tree of a project as it is now: its last commit with what has changed in its files."""
    stashed = git(project, "stash", "create", variables=_IDENTITY).strip()  # leaves all in place
    return git(project, "rev-parse", f"{stashed or 'HEAD'}^{{tree}}").strip()


def commit_experiment(
    project: Path, head: str, name: str, *, tree: str, files: Mapping[Path, str]
) -> None:
    """Make an experiment of a tree in which some files have other contents; none is written.

    Args:
        head: the commit that it starts from.
        tree: as of `changed_tree`.
        files: contents, by path from the project.
    """
    prefix = git(project, "rev-parse", "--show-prefix").rstrip("\n")
    with TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git(project, "read-tree", tree, variables=index)
        entries = []
        for path, content in files.items():
            blob = Path(folder) / "blob"
            blob.write_text(content, encoding="utf-8")
            number = git(project, "hash-object", "-w", "--no-filters", str(blob)).strip()
            entries += ["--cacheinfo", f"100644,{number},{prefix}{path.as_posix()}"]
        git(project, "update-index", "--add", *entries, variables=index)
        written = git(project, "write-tree", variables=index).strip()
    _commit(project, head, name, written)


def _commit(folder: Path, head: str, name: str, tree: str) -> None:
    """Make an experiment of a tree of git."""
    words = ("commit-tree", tree, "-p", head, "-m", f"kdtasks: {name}")
    commit = git(folder, *words, variables=_IDENTITY).strip()
    git(folder, "update-ref", reference(head, name), commit)


def bundle_snapshot(tree: WorkingTree, path: Path) -> None:
    """Write a bundle of a repository: its last commit, and on it one of the project as it is."""
    with TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git(tree.project, "read-tree", tree.head, variables=index)
        differing = [*tree.changed, *tree.removed]
        if differing:
            git(tree.project, "update-index", "--add", "--remove", *differing, variables=index)
        written = git(tree.project, "write-tree", variables=index).strip()
    words = ("commit-tree", written, "-p", tree.head, "-m", "kdtasks: snapshot")
    always = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "@0 +0000")
    commit = git(tree.project, *words, variables={**_IDENTITY, **always}).strip()
    git(tree.project, "update-ref", SNAPSHOT, commit)
    try:
        git(tree.project, "bundle", "create", "--quiet", str(path), SNAPSHOT)
    finally:
        git(tree.project, "update-ref", "-d", SNAPSHOT)


def bundle_experiment(clone: Path, head: str, name: str) -> bytes:
    """A bundle of what an experiment in a clone adds to the commit that it starts from."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        words = ("--quiet", str(path), reference(head, name), f"^{head}")
        git(clone, "bundle", "create", *words)
        return path.read_bytes()


def fetch_experiment(project: Path, clone: Path, head: str, name: str) -> str:
    """Fetch an experiment from a clone or bundle, for `dvc exp show` to list; returns its commit.

    Not for several threads at once: git locks what it writes.
    """
    ref = reference(head, name)
    words = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
    git(project, "fetch", *words, str(clone), f"+{ref}:{ref}")
    return git(project, "rev-parse", ref).strip()
