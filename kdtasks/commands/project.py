"""Find the project's folder, and the environment that DVC runs in there."""

import os
import sys
from pathlib import Path

from kdtasks.errors import ProjectError

DVC = (sys.executable, "-m", "dvc")


def find_project(start: Path | None = None) -> Path:
    """The nearest folder with a dvc.yaml, from `start` (the current folder) upwards.

    Raises:
        ProjectError: there is none.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise ProjectError(
        f"no dvc.yaml in {start} or a folder above it; go into the project's folder first"
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
