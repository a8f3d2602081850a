"""Run a command in its own process group, so that it can be stopped with all it started."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple


class Ended(NamedTuple):
    """How a command ended."""

    status: int  # 128 + signal number where a signal ended it
    is_interrupted: bool  # whether this process was asked to stop meanwhile


def run_attached(command: Sequence[str], *, folder: Path, environment: dict[str, str]) -> Ended:
    """Run a command on this terminal; Ctrl-C, SIGTERM and SIGHUP go to all that it started."""
    with _stop_signals() as (came, group):
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        group.append(process.pid)
        for number in came[:]:  # those from before there was anybody to hand them to
            _send(process.pid, number)
        status = process.wait()
    if came:  # what the command left behind
        _send(process.pid, signal.SIGTERM)
    return Ended(status if status >= 0 else 128 - status, is_interrupted=bool(came))


@contextlib.contextmanager
def _stop_signals() -> Iterator[tuple[list[int], list[int]]]:
    """Hand signals that ask to stop on to process groups.

    Yields: the list of those that came, and the list of the groups, to be filled.
    """
    came: list[int] = []
    groups: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came, groups  # only the main thread may set handlers
        return

    def forward(number: int, frame: FrameType | None) -> None:
        came.append(number)
        for group in groups:
            _send(group, number)

    stops = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, forward) for number in stops}
    try:
        yield came, groups
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _send(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
