"""The DVC experiment that a finished point becomes, in the project's own repository."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from kdtasks.commands.project import DVC, child_environment
from kdtasks.errors import ProjectError, StageError
from kdtasks.sweep.git import git


def reference(head: str, name: str) -> str:
    """The git reference under which DVC looks for an experiment that starts from a commit."""
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"


def is_saved(project: Path, head: str, name: str) -> bool:
    """Whether a project has an experiment of that name."""
    try:
        git(project, "rev-parse", "--quiet", "--verify", reference(head, name))
    except ProjectError:
        return False
    return True


def save_experiment(
    clone: Path, name: str, stages: Sequence[str], *, files: Sequence[Path] = ()
) -> None:
    """Make what is in a clone an experiment there: params, code, dvc.lock; outputs are cached.

    Arguments:
        files: that belong to it besides, and that git need not know.

    Raises:
        StageError: DVC refuses.
    """
    besides = [word for path in files for word in ("--include-untracked", str(path))]
    # with targets: without them DVC wants the outputs of all stages, also of those not run
    ended = subprocess.run(
        [*DVC, "exp", "save", "--force", "--name", name, *besides, *stages],
        cwd=clone,
        env={**child_environment(), "DVC_EXP_AUTO_PUSH": "false"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else f"status {ended.returncode}"
        raise StageError(f"experiment {name} could not be saved: {reason}")


def bring_experiment(project: Path, clone: Path, head: str, name: str) -> str:
    """Fetch an experiment from a clone, so that `dvc exp show` lists it; returns its commit.

    Not for several threads at once: git locks what it writes.
    """
    ref = reference(head, name)
    words = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
    git(project, "fetch", *words, str(clone), f"+{ref}:{ref}")
    return git(project, "rev-parse", ref).strip()
