"""Find the project's folder, and the environment that DVC runs in there."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kdtasks.core.errors import ProjectError, StoreError
from kdtasks.core.locks import locked_if_free
from kdtasks.core.paths import ProjectPaths
from kdtasks.deploy.store.address import Address, parse_address
from kdtasks.orchestrate.guardian import GRACE_SECONDS

if TYPE_CHECKING:
    from kdtasks.params.store import StoreParams


DVC = (sys.executable, "-m", "dvc")

Start = Callable[..., list[str]]  # what to start for `python -m MODULE ARGUMENT…`, given as words

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

PATIENCE_SECONDS = 2 * GRACE_SECONDS
KEEP = 10


def find_project(start: Path | None = None) -> Path:
    """The nearest folder with a dvc.yaml, from `start` (the current folder) upwards.

    Raises:
        ProjectError: there is none.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if ProjectPaths(folder).pipeline.is_file():
            return folder
    raise ProjectError(
        f"no dvc.yaml in {start} or a folder above it; go into the project's folder first, or "
        "begin a project with `kdtasks init`"
    )


def child_environment() -> dict[str, str]:
    """This process's environment, fit for DVC and the stages that it runs.

    Bytecode is written (without it imports take three times as long), `python` is the one that
    runs now, and git is not pointed at another repository, as it is inside a git hook.
    """
    hidden = ("PYTHONDONTWRITEBYTECODE", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    # the folder as it is: resolving it would leave a virtual environment
    environment["PATH"] = os.pathsep.join(
        [os.path.dirname(sys.executable), environment.get("PATH", os.defpath)]  # noqa: PTH120
    )
    environment["DVC_NO_ANALYTICS"] = "1"
    return environment


def start_cold(module: str, *arguments: str) -> list[str]:
    """What to start for a module, as a process that imports all anew."""
    return [sys.executable, "-m", module, *arguments]


def run_captured(
    folder: Path, *command: str, timeout_seconds: float | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder and keep what it prints; `variables` join its environment."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**child_environment(), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=timeout_seconds,
        check=False,
    )


def find_imports(project: Path) -> list[str]:
    """The .dvc files of imports, relative to the project: those that say where data come from."""
    from ruamel.yaml import YAML

    read = YAML(typ="safe", pure=True).load
    imports = []
    for folder, folders, files in os.walk(project):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder, name) for name in sorted(files) if name.endswith(".dvc")):
            if (read(path.read_text(encoding="utf-8")) or {}).get("deps"):
                imports.append(path.relative_to(project).as_posix())
    return imports


def find_remote(project: Path) -> str | None:
    """The name of the default remote; None where none is configured or DVC is not installed."""
    answer = run_captured(project, *DVC, "remote", "default")
    name = answer.stdout.strip()
    return name if answer.returncode == 0 and len(name.split()) == 1 else None


def reach_remote(project: Path, timeout_seconds: float) -> str | None:
    """None where the default remote answers in time; else the problem, in one line."""
    try:
        words = (sys.executable, "-c", QUESTION, str(project))
        answer = run_captured(project, *words, timeout_seconds=timeout_seconds)
    except subprocess.TimeoutExpired:
        return f"no answer within {timeout_seconds:g} s"
    if answer.returncode == 0:
        return None
    return (answer.stderr.strip().splitlines() or ["unknown error"])[-1]


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
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with locked_if_free(path) as lock:
            if lock is not None:
                os.ftruncate(lock, 0)
                os.write(lock, f"{os.getpid()}\n".encode())
                yield lock
                return
        holder = path.read_text(encoding="utf-8").strip()
        # the guardian of a run that was killed holds its lock until all of it has ended
        if not is_gone(holder) or time.monotonic() >= deadline:
            raise ProjectError(
                f"another run (process {holder or 'unknown'}) is running in {project}; "
                "wait until it has ended, or stop it"
            )
        time.sleep(0.1)


def is_gone(process: str) -> bool:
    """Whether no process of that number runs; false where it cannot be known."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (ValueError, PermissionError):
        pass
    return False


def find_address(given: str | None) -> Address:
    """The store that a command is to use.

    Args:
        given: `--store` or `KDTASKS_STORE`; None takes `store.address` of the project's params.

    Raises:
        StoreError: none is named, or its address is none.
        ParamsError: the params are not valid.
    """
    if given:
        return parse_address(given)
    project, params = _project_params() or (None, None)
    if project is None or params is None or params.address is None:
        raise StoreError(
            "no store is named; give --store, set KDTASKS_STORE, or set store.address in "
            "params.yaml, to s3://bucket/prefix, file:///folder or the path of a folder"
        )
    if "://" in params.address:
        return parse_address(params.address)
    return parse_address(str(project / Path(params.address).expanduser()))


def versions_kept(given: int | None) -> int:
    """How many of the newest versions gc keeps.

    Args:
        given: `--keep`; None takes `store.keep` of the project's params, or 10 without a project.
    """
    if given is not None:
        return given
    found = _project_params()
    return found[1].keep if found else KEEP


def _project_params() -> "tuple[Path, StoreParams] | None":
    """The project's folder and the section of its params; None where there are none."""
    try:
        project = find_project()
        from kdtasks.params import load_params
    except (ProjectError, ModuleNotFoundError):  # the latter: a device that has a clone
        return None
    path = ProjectPaths(project).params
    return (project, load_params(path).store) if path.is_file() else None
