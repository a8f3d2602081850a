"""Run a command and hand on its output line by line; ended with all that it started."""

import contextlib
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from kdtasks.runner.guardian import GRACE_SECONDS, Guardian, is_alive, signal_group


def run_streamed(
    command: Sequence[str],
    *,
    folder: Path,
    environment: dict[str, str],
    on_line: Callable[[str], None],
    is_cancelled: Callable[[], bool] = lambda: False,
    guardian: Guardian | None = None,
    poll_seconds: float = 0.1,
) -> int:
    """Run a command and hand every line of its output to `on_line`, in the caller's thread.

    Any exception in the caller's thread, and `is_cancelled()` becoming true, ends the whole
    process group; a blocking read would hold both up, hence the reader thread.

    Arguments:
        guardian: ends the process group if this process is killed.

    Returns: its exit status, negative where a signal ended it.
    """
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True)
    reader.start()
    watching = guardian.watching(process.pid) if guardian else contextlib.nullcontext()
    with watching:
        try:
            for line in _lines_until_exit(process, lines, is_cancelled, poll_seconds):
                on_line(line)
            return process.wait()
        except BaseException:
            end_group(process)
            raise
        finally:
            reader.join(1.0)  # it stays where something that was left behind holds the pipe open


def _lines_until_exit(
    process: "subprocess.Popen[str]",
    lines: "queue.SimpleQueue[str | None]",
    is_cancelled: Callable[[], bool],
    poll_seconds: float,
) -> Iterator[str]:
    exited_at: float | None = None
    is_open, is_ended = True, False
    while is_open or process.poll() is None:
        if is_cancelled() and not is_ended:
            is_ended = True
            end_group(process)
        if process.poll() is not None:
            exited_at = exited_at or time.monotonic()
            if time.monotonic() - exited_at > GRACE_SECONDS:
                signal_group(process.pid, signal.SIGTERM)  # what it left behind
                return
        try:
            line = lines.get(timeout=poll_seconds)
        except queue.Empty:
            continue
        if line is None:  # it may work on, its output closed
            is_open = False
        else:
            yield line


def end_group(process: subprocess.Popen[str], grace_seconds: float = GRACE_SECONDS) -> None:
    """Ask a process group to end, and kill what is left of it after `grace_seconds`.

    The shell that leads the group is gone at once; what it started may have to tidy up.
    """
    deadline = time.monotonic() + grace_seconds
    signal_group(process.pid, signal.SIGTERM)
    while is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _read_lines(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    with stream:
        for line in stream:
            lines.put(line.rstrip("\n"))
    lines.put(None)
