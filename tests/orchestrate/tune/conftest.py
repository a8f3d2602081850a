"""A tiny project, and a tuning of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.orchestrate.tune.space import spaces
from kdtasks.orchestrate.tune.study import Tuning
from kdtasks.params import load_project_params

MakeTuning = Callable[..., Tuning]


@pytest.fixture
def project(made_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of this test's own; also the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(made_project, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def make_tuning(project: Path) -> MakeTuning:
    def make(*changes: str, trials: int = 3, seed: int = 3) -> Tuning:
        params = load_project_params(project)
        return Tuning(project, params, spaces(params, changes), trials, seed)

    return make
