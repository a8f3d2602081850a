"""Why a point failed, in one line, and the clones of killed runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from kdtasks.orchestrate.sweep.engine import _wait_for_killed_run, reason

# takes the lock of a run and says so, then holds it until it is let go
HOLDER = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "distill@0 | step 3\ndistill@0: failed, x\n"
            "stage distill@0 ended with status 1; its last lines:\n  > python stages/distill.py\n"
            "  error: the loss is not a number\n  log: .kdtasks/logs/distill@0.log\n"
            "7 stages in 3.0 s: 1 failed",
            "stage distill@0 ended with status 1: error: the loss is not a number",
        ),
        ("stage a ended with signal 9; its last lines:", "stage a ended with signal 9"),
        ("hello\nerror: params.yaml: no", "params.yaml: no"),
        ("stage a: out.json does not exist\n7 stages", "stage a: out.json does not exist"),
        ("Traceback\n  File x\nKeyError: 1\n\n", "`kdtasks run` ended with status 3: KeyError: 1"),
        ("", "`kdtasks run` ended with status 3"),
    ],
)
def test_a_failure_is_one_line(output: str, expected: str):
    assert reason(output.splitlines(), 3) == expected


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
