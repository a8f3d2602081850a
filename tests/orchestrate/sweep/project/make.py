"""Make a DVC project under git that a sweep can run in seconds."""

import shutil
import subprocess
from functools import partial
from pathlib import Path

from kdtasks.params import load_params
from kdtasks.params.write import render_params
from tests.tools.dvc_command import init_dvc

HERE = Path(__file__).parent
RECIPE = HERE.parents[3] / "recipes" / "digits.yaml"
IGNORED = """\
/.kdtasks
/bundles
/data/labelled.npy
/data/prepared
/data/raw/*.txt
/exits
/metrics
/models/teacher
/models/student
/models/distill
/models/compress
/report
/timings
"""


def make_project(folder: Path) -> Path:
    """Commit everything but the data, as one would; returns the folder."""
    for watched in (
        "data/raw",
        "data/raw-unlabelled",
        "data/slices",
        "models/arm",
        "models/import",
        "models/start",
    ):
        (folder / watched).mkdir(parents=True)
        (folder / watched / ".gitkeep").touch()
    shutil.copy(HERE / "work.py", folder)
    shutil.copy(HERE / "stages.yaml", folder / "dvc.yaml")
    (folder / "params.yaml").write_text(render_params(load_params(RECIPE)), encoding="utf-8")
    (folder / ".gitignore").write_text(IGNORED, encoding="utf-8")
    run = partial(subprocess.run, cwd=folder, check=True)
    run(["git", "init", "--quiet"])
    init_dvc(folder, "[core]\n    analytics = false\n")
    run(["git", "add", "--all"])
    run(["git", "commit", "--quiet", "--message", "start"])
    (folder / "data" / "raw" / "a.txt").write_text("data", encoding="utf-8")
    return folder
