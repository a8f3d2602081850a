"""Calls of git: what it prints, and its refusals as one line."""

from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.git import git, paths, try_git


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
        "kdtasks.orchestrate.project.project.child_environment", lambda: {"PATH": "/nowhere"}
    )
    with pytest.raises(ProjectError, match="git is not installed"):
        git(project, "status")


def test_what_git_does_not_know_is_none(project: Path):
    git(project, "config", "user.name", "A B")
    assert try_git(project, "config", "--get", "user.name") == "A B"
    assert try_git(project, "config", "--get", "kdtasks.nothing") is None
