"""Run a command and hand on its output line by line; ended with all that it started."""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from kdtasks.orchestrate.guardian import GRACE_SECONDS, Guardian, end_groups, signal_group

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GIGABYTE = 1e9
POLL_SECONDS = 0.1

_GPUS = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))


def run_streamed(
    command: Sequence[str],
    *,
    folder: Path,
    environment: dict[str, str],
    on_line: Callable[[str], None],
    is_cancelled: Callable[[], bool] = lambda: False,
    guardian: Guardian | None = None,
) -> int:
    """Run a command and hand every line of its output to `on_line`, in the caller's thread.

    Any exception in the caller's thread, and `is_cancelled()` becoming true, ends the whole
    process group; a blocking read would hold both up, hence the reader thread.

    Args:
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
            for line in _lines_until_exit(process, lines, is_cancelled):
                on_line(line)
            return process.wait()
        except BaseException:
            end_groups([process.pid])
            process.wait()
            raise
        finally:
            reader.join(POLL_SECONDS)  # it stays where something left behind holds the pipe open


def _lines_until_exit(
    process: "subprocess.Popen[str]",
    lines: "queue.SimpleQueue[str | None]",
    is_cancelled: Callable[[], bool],
) -> Iterator[str]:
    exited_at: float | None = None
    is_open, is_ended = True, False
    while is_open or process.poll() is None:
        if is_cancelled() and not is_ended:
            is_ended = True
            end_groups([process.pid])
        if process.poll() is not None:
            exited_at = exited_at or time.monotonic()
            if time.monotonic() - exited_at > GRACE_SECONDS:
                signal_group(process.pid, signal.SIGTERM)  # what it left behind
                return
        try:
            line = lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if exited_at and is_ended:  # whatever still holds its output open says nothing more
                return
            continue
        if line is None:  # it may work on, its output closed
            is_open = False
        else:
            yield line


def _read_lines(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    with stream:
        for line in stream:
            lines.put(line.rstrip("\n"))
    lines.put(None)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Let the first signal that asks to stop say so and raise KeyboardInterrupt, no further one.

    The clean-up that the first one starts ends by itself, so nobody needs a second one, and
    terminals and process supervisors often send two. Signals that were ignored before (as `nohup`
    does with SIGHUP) still are.

    Yields: a function that says whether one has come.
    """
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) == 1:
            # nobody listens; in the middle of a line; closed
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                if sys.stderr:
                    print("stopping …", file=sys.stderr)
            raise KeyboardInterrupt

    with _handled_by(stop):
        yield lambda: bool(came)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off signals that ask to stop until the block is through."""
    came: list[int] = []
    with _handled_by(lambda number, frame: came.append(number)):
        yield
    for number in came[:1]:
        signal.raise_signal(number)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {}
    if threading.current_thread() is threading.main_thread():  # only there handlers can be set
        for number in STOPS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def why_cold() -> str | None:
    """Say why no stage is a fork of a process that has imported TensorFlow; None if they may be."""
    if sys.platform != "linux":
        return f"forking is not safe on {sys.platform}"
    gpu = find_gpu()
    return f"there is a GPU ({gpu}), whose driver does not survive a fork" if gpu else None


def find_gpu() -> Path | None:
    """The file of the driver of this machine's GPU, NVIDIA's, AMD's or WSL's; None without one."""
    return next((path for path in _GPUS if path.exists()), None)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_gb(limit_file: Path = Path("/sys/fs/cgroup/memory.max")) -> float:
    """Memory of this machine in GB (1e9 bytes), or the container's limit where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = limit_file.read_text(encoding="utf-8").strip() if limit_file.is_file() else "max"
    return min(total, int(limit) if limit.isdigit() else total) / GIGABYTE


def free_disk_gb(folder: Path) -> float:
    """Free space of the folder's file system in GB (1e9 bytes)."""
    return shutil.disk_usage(folder).free / GIGABYTE
