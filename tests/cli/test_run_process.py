"""`kdtasks run` as a process: signals, terminals, pipes, imports."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

KDTASKS = [sys.executable, "-m", "kdtasks"]


@pytest.fixture
def endless(project: Path, family: str) -> Path:
    """A project whose first stage starts a family of processes and waits."""
    (project / "write.py").write_text(family, encoding="utf-8")
    return project


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 3])
def test_a_signal_stops_the_run_with_all_that_it_started(
    endless: Path, wait_until_gone: Callable[[Path], None], number: signal.Signals, times: int
):
    """A second and a third one do not cut the clean-up short."""
    run = subprocess.Popen(
        [*KDTASKS, "run", "--no-prefect"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (endless / "pids").exists():
        assert run.poll() is None
        time.sleep(0.02)
    for _ in range(times):
        run.send_signal(number)
    output, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors == "stopping …\ninterrupted; the same command resumes here\n"
    assert output.endswith(": 4 cancelled\n")
    wait_until_gone(endless)
    # nothing is locked any more, and what was there comes back
    (endless / "write.py").write_text("", encoding="utf-8")
    assert subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"]).returncode == 1


def test_a_reader_that_goes_away_does_not_stop_the_run(project: Path):
    (project / "source").write_text("new", encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(KDTASKS)} run --no-prefect | head -n 1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("4 stages, ")
    assert done.stdout.count("\n") == 1
    assert "BrokenPipe" not in done.stderr
    assert "Traceback" not in done.stderr
    assert (project / "report" / "page").read_text(encoding="utf-8").startswith("new")


@pytest.mark.parametrize(("terminal", "is_live"), [("xterm-256color", True), ("dumb", False)])
def test_a_terminal_gets_a_live_table(project: Path, terminal: str, is_live: bool):
    screen, keyboard = pty.openpty()
    run = subprocess.Popen(
        [*KDTASKS, "run", "--no-prefect"],
        env={**os.environ, "TERM": terminal},
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
    )
    os.close(keyboard)
    text = b""
    while True:
        try:
            text += os.read(screen, 65536)
        except OSError:  # the end
            break
    os.close(screen)
    assert run.wait() == 0
    assert (b"\x1b[?25l" in text) == is_live
    assert re.search(rb"4 stages in [0-9.]+ s: 4 cached", text)
    assert b"Checking" not in text  # no progress bars of DVC


def test_pipes_get_lines_even_where_colours_are_forced(project: Path):
    done = subprocess.run(
        [*KDTASKS, "run", "--no-prefect"],
        env={**os.environ, "FORCE_COLOR": "1", "TERM": "xterm"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "prepare: cached" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_run_with_nothing_to_do_imports_nothing_heavy(project: Path):
    code = (
        "import sys\nfrom kdtasks.cli.main import main\n"
        "sys.argv = ['kdtasks', 'run']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'tensorflow', 'tf_keras', 'keras', 'prefect', 'matplotlib', 'scipy', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")},
        "PREFECT_HOME": str(project / "no-prefect"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
