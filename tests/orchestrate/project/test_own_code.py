"""Whatever folder a project's stages run in, they run that folder's code."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.tools.dvc_command import init_dvc

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_commands")]

# The name of a stage's command is that of the real pipeline; the package in the folder stands for
# the project's own, beside which another of the same name may be installed.
FILES = {
    "dvc.yaml": "stages:\n  own:\n    cmd: python -m stages.own\n"
    "    deps: [kdtasks, stages]\n    params: [seed]\n"
    "    metrics: [own.json: {cache: false}]\n",
    "params.yaml": "seed: 0\n",
    "kdtasks/__init__.py": "NAME = 'first'\n",
    "stages/own.py": "import json, kdtasks\n"
    "from pathlib import Path\n"
    "is_here = Path(kdtasks.__file__).resolve().is_relative_to(Path.cwd().resolve())\n"
    "found = {'is_here': is_here, 'name': getattr(kdtasks, 'NAME', None)}\n"
    "Path('own.json').write_text(json.dumps(found))\n",
}


def run(folder: Path, *command: str) -> str:
    """Run a command as a user does who knows nothing of PYTHONPATH."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project under git whose one stage writes down which package it has imported."""
    folder = tmp_path / "project"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    run(folder, "git", "init", "--quiet")
    init_dvc(folder)
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "first")
    return folder


def edit(folder: Path, name: str) -> None:
    (folder / "kdtasks" / "__init__.py").write_text(f"NAME = {name!r}\n", encoding="utf-8")


@pytest.mark.parametrize("words", [("clone", "--quiet", "."), ("worktree", "add", "--detach")])
def test_a_second_clone_and_a_worktree(words: tuple[str, ...], project: Path, tmp_path: Path):
    other = tmp_path / "other"
    run(project, "git", *words, str(other))
    edit(other, "second")
    run(other, "dvc", "repro", "--quiet")
    assert json.loads((other / "own.json").read_text()) == {"is_here": True, "name": "second"}


def test_experiments_in_temporary_folders(project: Path):
    edit(project, "temporary")
    run(project, "dvc", "exp", "run", "--temp", "--name", "temporary", "--set-param", "seed=1")
    edit(project, "queued")
    run(project, "dvc", "exp", "run", "--queue", "--name", "queued", "--set-param", "seed=2")
    edit(project, "later")
    run(project, "dvc", "exp", "run", "--run-all")
    shown: Any = json.loads(run(project, "dvc", "exp", "show", "--json"))
    found = {}
    for experiment in shown[1]["experiments"]:
        (revision,) = experiment["revs"]
        found[revision["name"]] = revision["data"]["metrics"]["own.json"]["data"]
    assert found == {name: {"is_here": True, "name": name} for name in ("temporary", "queued")}
    assert not (project / "own.json").exists()
