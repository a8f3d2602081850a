"""Commands whose output is handed on by lines: in order, and nothing left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.orchestrate.guardian import end_groups
from kdtasks.orchestrate.processes import run_streamed

ENVIRONMENT = dict(os.environ)
IGNORING = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def start_group(command: list[str], folder: Path) -> "subprocess.Popen[str]":
    """Start a group and wait for its first line."""
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    with process.stdout as stream:
        assert stream.readline() == "ready\n"
    return process


def test_lines_arrive_in_order_with_errors_among_them(tmp_path: Path):
    lines: list[str] = []
    code = "import sys; print('a'); sys.stdout.flush(); print('b', file=sys.stderr); print('c ü')"
    status = run_streamed(
        python(code), folder=tmp_path, environment=ENVIRONMENT, on_line=lines.append
    )
    assert status == 0
    assert lines == ["a", "b", "c ü"]


@pytest.mark.parametrize(
    ("code", "status"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL)],
)
def test_exit_status_is_handed_on(tmp_path: Path, code: str, status: int):
    ended = run_streamed(
        python(code), folder=tmp_path, environment=ENVIRONMENT, on_line=lambda line: None
    )
    assert ended == status


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path):
    lines: list[str] = []
    code = r"import sys; sys.stdout.buffer.write(b'50 \xb5s\n')"
    run_streamed(python(code), folder=tmp_path, environment=ENVIRONMENT, on_line=lines.append)
    assert lines == ["50 \ufffds"]


def test_an_exception_in_the_caller_ends_the_whole_group(
    tmp_path: Path, family: str, wait_until_gone: Callable[[Path], None]
):
    def stop(line: str) -> None:
        raise RuntimeError(line)

    with pytest.raises(RuntimeError, match="ready"):
        run_streamed(python(family), folder=tmp_path, environment=ENVIRONMENT, on_line=stop)
    wait_until_gone(tmp_path)


def test_cancelling_ends_the_whole_group(
    tmp_path: Path, family: str, wait_until_gone: Callable[[Path], None]
):
    status = run_streamed(
        python(family),
        folder=tmp_path,
        environment=ENVIRONMENT,
        on_line=lambda line: None,
        is_cancelled=(tmp_path / "pids").exists,
    )
    assert status == -signal.SIGTERM
    wait_until_gone(tmp_path)


def test_a_command_that_has_closed_its_output_can_be_cancelled(tmp_path: Path):
    code = "import os, pathlib, time; os.close(1); os.close(2)\npathlib.Path('closed').touch()\n"
    status = run_streamed(
        python(code + "time.sleep(60)"),
        folder=tmp_path,
        environment=ENVIRONMENT,
        on_line=lambda line: None,
        is_cancelled=(tmp_path / "closed").exists,
    )
    assert status == -signal.SIGTERM


def test_cancelling_waits_for_nobody_else_who_holds_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("kdtasks.orchestrate.processes.GRACE_SECONDS", float("inf"))
    pid = tmp_path / "pid"
    status = run_streamed(
        ["sh", "-c", "setsid sh -c 'echo $$ > new; mv new pid; exec sleep 600' & sleep 600"],
        folder=tmp_path,
        environment=ENVIRONMENT,
        on_line=lambda line: None,
        is_cancelled=pid.exists,
    )
    os.kill(int(pid.read_text(encoding="utf-8")), signal.SIGKILL)
    assert status == -signal.SIGTERM


def test_what_a_command_leaves_behind_does_not_hold_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A process in the background keeps the pipe open that the lines come through."""
    monkeypatch.setattr("kdtasks.orchestrate.processes.GRACE_SECONDS", 0.2)
    lines: list[str] = []
    process_id = tmp_path / "pid"

    def hear(line: str) -> None:
        lines.append(line)
        (tmp_path / "heard").touch()

    status = run_streamed(
        [
            *("sh", "-c"),
            "sleep 60 & echo $! > pid; echo done; until [ -e heard ]; do sleep 0.02; done",
        ],
        folder=tmp_path,
        environment=ENVIRONMENT,
        on_line=hear,
    )
    os.kill(int(process_id.read_text(encoding="utf-8")), signal.SIGKILL)
    assert (status, lines) == (0, ["done"])


def test_a_group_that_ignores_the_request_is_killed(tmp_path: Path):
    code = f"{IGNORING}import time; print('ready', flush=True); time.sleep(60)"
    process = start_group(python(code), tmp_path)
    end_groups([process.pid], grace_seconds=0.2)
    assert process.wait() == -signal.SIGKILL


def test_what_a_shell_has_started_may_tidy_up(tmp_path: Path):
    """The shell that leads the group is gone at once; its child has the same time to end."""
    code = (
        "import pathlib, signal, sys, time\n"
        "def tidy(*_):\n    time.sleep(0.3); pathlib.Path('tidied').touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, tidy)\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    (tmp_path / "tidy.py").write_text(code, encoding="utf-8")
    process = start_group(["sh", "-c", f"{sys.executable} tidy.py; echo never"], tmp_path)
    end_groups([process.pid], grace_seconds=30)
    process.wait()
    assert (tmp_path / "tidied").exists()


def test_a_group_that_has_ended_is_left_alone(tmp_path: Path):
    process = start_group(python("print('ready')"), tmp_path)
    process.wait()
    end_groups([process.pid], grace_seconds=3600)  # the test's own limit would end the wait
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_whole_group(
    tmp_path: Path,
    family: str,
    wait_until_gone: Callable[[Path], None],
    number: signal.Signals,
):
    """In a process of its own, as a terminal or a scheduler would stop it."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from kdtasks.orchestrate.processes import run_streamed, stop_signals\n"
        "with stop_signals():\n"
        f"    run_streamed([sys.executable, '-c', {family!r}], folder=Path({str(tmp_path)!r}), "
        "environment=dict(os.environ), on_line=lambda line: print(line, flush=True))\n"
    )
    process = subprocess.Popen(
        python(code), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    wait_until_gone(tmp_path)
