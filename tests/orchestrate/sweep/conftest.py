"""A DVC project with the stages of the pipeline, none of which takes time."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def git(folder: Path, *words: str) -> str:
    ended = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return ended.stdout.strip()


@pytest.fixture
def project(committed_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of this test's own; also the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(committed_project, folder, symlinks=True)
    for name in ("TRACE", "BREAK", "HOLD"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def trace(project: Path) -> Callable[[], list[str]]:
    """Give a function that lists what the stages have noted since it was called last."""

    def read() -> list[str]:
        path = Path(os.environ["TRACE"])
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        path.unlink(missing_ok=True)
        return lines

    return read


@pytest.fixture
def run_git() -> Callable[..., str]:
    """Give a function that runs git in a folder and returns what it prints."""
    return git
