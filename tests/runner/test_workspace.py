"""One run at a time in a folder, also after one that was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kdtasks.errors import ProjectError
from kdtasks.runner.workspace import one_run_at_a_time

HOLD = """
import pathlib, time
from kdtasks.runner.workspace import one_run_at_a_time
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
        pytest.raises(ProjectError, match=rf"another run \(process {os.getpid()}\) is at work"),
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
