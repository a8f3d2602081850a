"""Run a command in its own process group, so that it can be stopped with all it started."""

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, NamedTuple

GRACE_SECONDS = 10.0


class Ended(NamedTuple):
    """How a command ended."""

    status: int  # 128 + signal number where a signal ended it
    is_interrupted: bool  # whether this process was asked to stop meanwhile


def run_attached(
    command: Sequence[str],
    *,
    folder: Path,
    environment: dict[str, str],
    signal_group: bool = True,
) -> Ended:
    """Run a command on this terminal; Ctrl-C, SIGTERM and SIGHUP are handed on to it.

    Arguments:
        signal_group: hand them to all that the command started, not to the command alone.
    """
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    send = os.killpg if signal_group else os.kill
    with _signals_forwarded(lambda number: send(process.pid, number)) as forwarded:
        status = process.wait()
    if forwarded:  # what the command left behind, such as a temporary server
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    return Ended(status if status >= 0 else 128 - status, is_interrupted=bool(forwarded))


def run_streamed(
    command: Sequence[str],
    *,
    folder: Path,
    environment: dict[str, str],
    on_line: Callable[[str], None],
    is_cancelled: Callable[[], bool] = lambda: False,
    poll_seconds: float = 0.1,
) -> int:
    """Run a command and hand every line of its output to `on_line`, in the caller's thread.

    Any exception in the caller's thread, and `is_cancelled()` becoming true, ends the whole
    process group; a blocking read would hold both up, hence the reader thread.

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
    exited_at: float | None = None
    try:
        while True:
            if is_cancelled():
                end_group(process)
            with contextlib.suppress(queue.Empty):
                line = lines.get(timeout=poll_seconds)
                if line is None:
                    break
                on_line(line)
                continue
            if process.poll() is not None:
                exited_at = exited_at or time.monotonic()
                if time.monotonic() - exited_at > GRACE_SECONDS:
                    break  # something that it left behind holds the pipe open
        return process.wait()
    except BaseException:
        end_group(process)
        raise
    finally:
        reader.join(1.0)
        if not reader.is_alive():  # closing under a blocked read would block as well
            process.stdout.close()


def end_group(process: subprocess.Popen[str], grace_seconds: float = GRACE_SECONDS) -> None:
    """Ask a process group to end, and kill what is left of it after `grace_seconds`."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace_seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_lines(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put(None)


@contextlib.contextmanager
def _signals_forwarded(send: Callable[[int], None]) -> Iterator[list[int]]:
    """Hand signals that ask to stop on by `send`; yields the list of those that came."""
    forwarded: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield forwarded  # only the main thread may set handlers
        return

    def forward(number: int, frame: FrameType | None) -> None:
        forwarded.append(number)
        with contextlib.suppress(ProcessLookupError):
            send(number)

    stops = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, forward) for number in stops}
    try:
        yield forwarded
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
