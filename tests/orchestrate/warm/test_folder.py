"""Folders of sockets go with their processes, killed ones' with the next."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kdtasks.orchestrate.warm.folder import LOCK, PREFIX, socket_folder

HOLD = """
from kdtasks.orchestrate.warm.folder import socket_folder
with socket_folder() as folder:
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # it was found out before
    return tmp_path


def test_it_is_removed_when_its_process_is_through(temporary: Path):
    with socket_folder() as folder:
        assert folder.parent == temporary
        assert folder.name.startswith(PREFIX)
    assert not folder.exists()


def test_one_of_a_killed_process_goes_with_the_next_and_one_that_is_held_stays(temporary: Path):
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        for _ in range(2)
    ]
    try:
        held, killed = (Path(holder.stdout.readline().strip()) for holder in holders)  # type: ignore[union-attr]
        holders[1].send_signal(signal.SIGKILL)
        holders[1].wait()
        assert killed.exists()
        with socket_folder():
            assert not killed.exists()
            assert held.exists()
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()


def test_what_is_no_folder_of_ours_is_left_alone(temporary: Path):
    inner, other = temporary / "inner", temporary / "kdtasks-verify-1"
    for folder in (inner, other):
        folder.mkdir()
    link = temporary / f"{PREFIX}link"
    link.symlink_to(inner)
    (temporary / f"{PREFIX}file").write_text("")
    with socket_folder():
        pass
    assert link.is_symlink()
    assert other.exists()
    assert not (inner / LOCK).exists()
