"""The guardian ends what a killed run has left behind, and nothing else."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.orchestrate.guardian import Guardian, end_groups

# a run that starts a program under the guardian's watch, says so, and waits for its own end
RUN = """
import pathlib, subprocess, sys, time
from kdtasks.orchestrate.guardian import Guardian
program = subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)
guardian = Guardian()
with guardian.watching(program.pid):
    pathlib.Path('watched').touch()
    time.sleep(60)
"""
IGNORING = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


def start_program(code: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Start a program in a group of its own and wait until it has written its file `pids`."""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, start_new_session=True)
    wait_for(folder / "pids")
    return process


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "head", ["", pytest.param(IGNORING, marks=pytest.mark.slow)], ids=["polite", "deaf"]
)
def test_a_killed_run_leaves_nothing_behind(
    tmp_path: Path, family: str, wait_until_gone: Callable[[Path], None], head: str
):
    """The deaf one is killed after ten seconds of grace."""
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, head + family], cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    wait_for(tmp_path / "pids")
    wait_for(tmp_path / "watched")
    run.send_signal(signal.SIGKILL)
    run.wait()
    wait_until_gone(tmp_path)


def test_a_group_that_has_ended_is_not_watched_any_more(tmp_path: Path, family: str):
    """Its number may belong to somebody else by then."""
    other = start_program(family, tmp_path)
    guardian = Guardian()
    with guardian.watching(other.pid):
        pass
    guardian.close()
    assert other.poll() is None
    end_groups([other.pid])
    assert other.wait() == -signal.SIGTERM


def test_closing_ends_what_is_watched(tmp_path: Path, family: str):
    program = start_program(family, tmp_path)
    guardian = Guardian()
    with guardian.watching(program.pid):
        guardian.close()
        assert program.wait() == -signal.SIGTERM


def test_a_killed_guardian_does_not_stop_the_run(tmp_path: Path):
    guardian = Guardian()
    guardian._process.kill()
    guardian._process.wait()
    with guardian.watching(2**22 + 1):
        pass
    guardian.close()


def test_groups_without_processes_are_no_error():
    gone = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    gone.wait()
    end_groups([gone.pid])


def test_many_threads_may_speak_at_once():
    """A line is one write, so none is torn apart by another."""
    from concurrent.futures import ThreadPoolExecutor

    guardian = Guardian()

    def watch(number: int) -> None:
        with guardian.watching(10_000_000 + number):  # beyond the highest number of a process
            pass

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(watch, range(500)))
    guardian.close()
    assert guardian._process.returncode == 0  # a torn line would have been no number
