"""The project's folder and the environment of the processes started in it."""

import os
import sys
from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.project import child_environment, find_project


def test_the_project_is_found_from_a_folder_inside(tmp_path: Path):
    (tmp_path / "dvc.yaml").touch()
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    assert find_project(inside) == find_project(tmp_path) == tmp_path.resolve()


def test_the_nearest_project_wins(tmp_path: Path):
    inner = tmp_path / "inner"
    inner.mkdir()
    for folder in (tmp_path, inner):
        (folder / "dvc.yaml").touch()
    assert find_project(inner) == inner.resolve()


def test_no_project(tmp_path: Path):
    with pytest.raises(ProjectError, match=r"no dvc\.yaml in .* go into the project's folder"):
        find_project(tmp_path)


def test_environment_of_children(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("KEPT", "yes")
    environment = child_environment()
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert "GIT_DIR" not in environment
    assert environment["KEPT"] == "yes"
    assert environment["DVC_NO_ANALYTICS"] == "1"
    assert Path(environment["PATH"].split(os.pathsep)[0]) == Path(sys.executable).parent
