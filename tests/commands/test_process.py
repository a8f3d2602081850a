"""Processes in groups of their own: output, exit status, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdtasks.commands.process import end_group, run_attached, run_streamed

ENVIRONMENT = dict(os.environ)
# starts a grandchild, writes both process ids to the file `pids`, and waits
FAMILY = """
import os, pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
pathlib.Path('pids.part').write_text(f'{os.getpid()} {child.pid}')
os.rename('pids.part', 'pids')
print('ready', flush=True)
child.wait()
"""


def is_running(process_id: int) -> bool:
    """Whether a process lives; one that ended and is not collected yet does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(folder: Path) -> None:
    pids = [int(word) for word in (folder / "pids").read_text(encoding="utf-8").split()]
    deadline = time.monotonic() + 10
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline, f"still running: {pids}"
        time.sleep(0.02)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_lines_arrive_in_order_with_errors_among_them(tmp_path: Path):
    lines: list[str] = []
    code = "import sys; print('a'); sys.stdout.flush(); print('b', file=sys.stderr); print('c ü')"
    status = run_streamed(
        python(code), folder=tmp_path, environment=ENVIRONMENT, on_line=lines.append
    )
    assert status == 0
    assert lines == ["a", "b", "c ü"]


def test_exit_status_is_handed_on(tmp_path: Path):
    code = "raise SystemExit(7)"
    streamed = run_streamed(
        python(code), folder=tmp_path, environment=ENVIRONMENT, on_line=lambda line: None
    )
    attached = run_attached(python(code), folder=tmp_path, environment=ENVIRONMENT)
    assert streamed == attached.status == 7
    assert not attached.is_interrupted


def test_an_exception_in_the_caller_ends_the_whole_group(tmp_path: Path):
    def stop(line: str) -> None:
        raise RuntimeError(line)

    with pytest.raises(RuntimeError, match="ready"):
        run_streamed(python(FAMILY), folder=tmp_path, environment=ENVIRONMENT, on_line=stop)
    wait_until_gone(tmp_path)


def test_cancelling_ends_the_whole_group(tmp_path: Path):
    status = run_streamed(
        python(FAMILY),
        folder=tmp_path,
        environment=ENVIRONMENT,
        on_line=lambda line: None,
        is_cancelled=(tmp_path / "pids").exists,
    )
    assert status == -signal.SIGTERM
    wait_until_gone(tmp_path)


def test_a_group_that_ignores_the_request_is_killed(tmp_path: Path):
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        python(code), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    with process.stdout as stream:
        stream.readline()
        end_group(process, grace_seconds=0.2)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_whole_group(tmp_path: Path, number: signal.Signals):
    """In a process of its own, as a terminal or a scheduler would stop it."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from kdtasks.commands.process import run_attached\n"
        f"ended = run_attached([sys.executable, '-c', {FAMILY!r}], folder=Path({str(tmp_path)!r}), "
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
    output, _ = process.communicate(timeout=20)
    assert output.splitlines()[-1] in (f"{128 + number} True", "1 True")
    wait_until_gone(tmp_path)
