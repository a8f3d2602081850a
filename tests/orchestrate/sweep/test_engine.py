"""The clones of killed runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from kdtasks.orchestrate.sweep.engine import _wait_for_killed_run

# takes the lock of a run and says so, then holds it until it is let go
HOLDER = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_what_a_killed_sweep_left_behind_may_end_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lock = tmp_path / ".dvc" / "tmp" / "kdtasks-run.lock"
    _wait_for_killed_run(tmp_path)  # there was none
    lock.parent.mkdir(parents=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    def let_go(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            holder.communicate("\n")

    waits: list[float] = []
    monkeypatch.setattr("kdtasks.orchestrate.sweep.engine.time.sleep", let_go)
    _wait_for_killed_run(tmp_path)
    assert (len(waits), holder.returncode) == (1, 0)
