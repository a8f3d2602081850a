"""Processes in groups of their own: exit status, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.orchestrate.processes import run_attached


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_exit_status_is_handed_on(tmp_path: Path):
    ended = run_attached(
        python("raise SystemExit(7)"), folder=tmp_path, environment=dict(os.environ)
    )
    assert ended.status == 7
    assert not ended.is_interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_whole_group(
    tmp_path: Path,
    family: str,
    wait_until_gone: Callable[[Path], None],
    number: signal.Signals,
):
    """In a process of its own, as a terminal or a scheduler would stop it."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from kdtasks.orchestrate.processes import run_attached\n"
        f"ended = run_attached([sys.executable, '-c', {family!r}], folder=Path({str(tmp_path)!r}), "
        "environment=dict(os.environ))\n"
        "print(ended.status, ended.is_interrupted)"
    )
    process = subprocess.Popen(
        python(code), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    while not (tmp_path / "pids").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] in (f"{128 + number} True", "1 True")
    wait_until_gone(tmp_path)
