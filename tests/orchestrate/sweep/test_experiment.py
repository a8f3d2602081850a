"""Experiments: saved where a point ran, listed where the project is."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.git import (
    fetch_experiment,
    reference,
    save_experiment,
    saved_experiments,
)

pytestmark = pytest.mark.usefixtures("warm_commands")

NAME = "alpha=0.5_exits=block_1-0a1b2c"


def test_an_experiment_comes_home(project: Path, tmp_path: Path, run_git: Callable[..., str]):
    clone = tmp_path / "clone"
    run_git(project, "clone", "--quiet", str(project), str(clone))
    run_git(clone, "checkout", "--quiet", "--detach")
    head = run_git(project, "rev-parse", "HEAD")
    text = (clone / "params.yaml").read_text(encoding="utf-8")
    (clone / "params.yaml").write_text(text.replace("alpha: 0.1", "alpha: 0.5"), encoding="utf-8")
    (clone / "data/raw/a.txt").write_text("data", encoding="utf-8")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "repro", "--quiet", "prepare"], cwd=clone, check=True)

    assert NAME not in saved_experiments(project, head)
    save_experiment(clone, head, NAME)
    assert NAME not in saved_experiments(project, head)
    commit = fetch_experiment(project, clone, head, NAME)
    assert saved_experiments(project, head) == {NAME}
    assert commit == run_git(project, "rev-parse", reference(head, NAME))
    shown = subprocess.run(
        [*dvc, "exp", "show", "--json"], cwd=project, check=True, capture_output=True, text=True
    )
    (_, baseline) = json.loads(shown.stdout)
    (experiment,) = baseline["experiments"]
    assert experiment["name"] == NAME
    data = experiment["revs"][0]["data"]
    assert data["params"]["params.yaml"]["data"]["distill"]["alpha"] == 0.5
    assert run_git(project, "status", "--porcelain") == ""
    assert "detached" not in run_git(project, "status")

    # once more, with something else in it: the point ran again
    (clone / "params.yaml").write_text(text.replace("alpha: 0.1", "alpha: 0.9"), encoding="utf-8")
    save_experiment(clone, head, NAME)
    assert fetch_experiment(project, clone, head, NAME) != commit


def test_a_refusal_is_one_line(project: Path):
    with pytest.raises(ProjectError, match=r"`git add` failed in .*: fatal: .*'dvc.lock' did not"):
        save_experiment(project, "HEAD", "x")
