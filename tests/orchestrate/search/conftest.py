"""The sweep's project, whose stage `compress` takes no time."""

import shutil
from pathlib import Path

import pytest

from tests.tools.records import latency


@pytest.fixture
def project(committed_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of this test's own; also the current folder. Every image takes 0.5 ms there."""
    folder = tmp_path / "project"
    shutil.copytree(committed_project, folder, symlinks=True)
    for name in ("TRACE", "BREAK", "HOLD"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        "kdtasks.orchestrate.search.trial.time_bundle", lambda *given: latency(0.5, worst=0.8)
    )
    return folder
