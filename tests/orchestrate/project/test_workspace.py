"""One run at a time in a folder, also after one that was killed."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdtasks.core.errors import ProjectError
from kdtasks.orchestrate.project.project import one_run_at_a_time

HOLD = """
import pathlib, time
from kdtasks.orchestrate.project.project import one_run_at_a_time
with one_run_at_a_time(pathlib.Path.cwd()):
    print('held', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def test_a_second_run_is_refused_and_told_whose_turn_it_is(folder: Path):
    with (
        one_run_at_a_time(folder),
        pytest.raises(ProjectError, match=rf"another run \(process {os.getpid()}\) is running"),
        one_run_at_a_time(folder),
    ):
        pytest.fail("two runs at once")
    with one_run_at_a_time(folder):
        pass


def test_an_error_in_the_run_gives_the_folder_back(folder: Path):
    with pytest.raises(ValueError, match="broken"), one_run_at_a_time(folder):
        raise ValueError("broken")
    with one_run_at_a_time(folder):
        pass


def test_a_killed_run_gives_the_folder_back(folder: Path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    with holder.stdout as output:
        assert output.readline() == "held\n"
        with (
            pytest.raises(ProjectError, match=rf"process {holder.pid}\) .*or stop it"),
            one_run_at_a_time(folder),
        ):
            pytest.fail("two runs at once")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with one_run_at_a_time(folder):
        pass


def test_a_folder_without_dvc_is_refused_and_left_as_it_is(tmp_path: Path):
    with pytest.raises(ProjectError, match="run `dvc init`"), one_run_at_a_time(tmp_path):
        pytest.fail("nothing can run there")
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_of_a_killed_run_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its guardian inherits the lock, and gives it back once the last of the run has ended."""
    (tmp_path / ".dvc").mkdir()
    code = (
        "import os, subprocess, sys; from pathlib import Path\n"
        "from kdtasks.orchestrate.project.project import one_run_at_a_time\n"
        "with one_run_at_a_time(Path.cwd()) as lock:\n"
        "    left = ['sh', '-c', 'until [ -e go ]; do sleep 0.02; done']\n"
        "    subprocess.Popen(left, pass_fds=[lock], stdout=subprocess.DEVNULL)\n"
        "    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    path = tmp_path / ".dvc/tmp/kdtasks-run.lock"
    with path.open("a") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is still held

    def let_go(seconds: float) -> None:
        (tmp_path / "go").touch()
        sleep(seconds)

    sleep = time.sleep
    monkeypatch.setattr("kdtasks.orchestrate.project.project.time.sleep", let_go)
    monkeypatch.setattr("kdtasks.orchestrate.project.project.PATIENCE_SECONDS", 60)
    with one_run_at_a_time(tmp_path):
        assert path.read_text(encoding="utf-8") == f"{os.getpid()}\n"
