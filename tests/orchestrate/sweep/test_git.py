"""Calls of git: what it prints, and its refusals as one line."""

from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.git import git, paths, setting


def test_paths_may_hold_anything(project: Path):
    (project / "with space, and ümlaut\n.txt").write_text("x", encoding="utf-8")
    assert paths(project, "ls-files", "--others", "--exclude-standard") == [
        "with space, and ümlaut\n.txt"
    ]


def test_a_refusal_is_one_line(project: Path):
    with pytest.raises(ProjectError, match=r"`git rev-parse` failed in .*: fatal: ") as caught:
        git(project, "rev-parse", "--verify", "nothing")
    assert "\n" not in str(caught.value)


def test_without_git_it_is_said_what_for(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "kdtasks.orchestrate.project.git.child_environment", lambda: {"PATH": "/nowhere"}
    )
    with pytest.raises(ProjectError, match="git is not installed"):
        git(project, "status")


def test_settings_that_are_not_there_are_none(project: Path):
    git(project, "config", "user.name", "A B")
    assert setting(project, "user.name") == "A B"
    assert setting(project, "kdtasks.nothing") is None
