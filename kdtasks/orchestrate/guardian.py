"""Ends what a run has started if the run itself is killed and cannot do so any more.

The guardian is a process of its own. It reads lines `+GROUP` and `-GROUP` (process groups that
have begun and ended) and, once its input ends, ends those that are still there: the input of a
process ends when its writer dies, however it dies.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

GRACE_SECONDS = 10.0


class Guardian:
    """Starts the guardian's process and keeps its list of process groups."""

    def __init__(self, keep_open: Sequence[int] = ()) -> None:
        """Args: `keep_open` are file descriptors (of locks) that outlive the run with it."""
        # -S and -I: nothing but the standard library is imported, so it is there in no time
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            bufsize=0,  # a line is one write, whole whichever thread it comes from
            pass_fds=tuple(keep_open),
            start_new_session=True,
        )
        self._input = cast(IO[bytes], self._process.stdin)

    @contextmanager
    def watching(self, group: int) -> Iterator[None]:
        """Keep a process group on the list for as long as the block runs."""
        self._send(f"+{group}")
        try:
            yield
        finally:
            self._send(f"-{group}")

    def close(self) -> None:
        """End the guardian; what is still on its list is ended as well."""
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        if self._input.closed:
            return
        with contextlib.suppress(BrokenPipeError):  # it was killed: the run itself goes on
            self._input.write(f"{line}\n".encode())


def end_groups(groups: Iterable[int], grace_seconds: float = GRACE_SECONDS) -> None:
    """Ask process groups to end, and kill what is left of them after `grace_seconds`."""
    left = {group for group in groups if signal_group(group, signal.SIGTERM)}
    deadline = time.monotonic() + grace_seconds
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {group for group in left if is_alive(group)}
    for group in left:
        signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; false if there is none any more."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # the latter: another user's group by now
        return False
    return True


def is_alive(group: int) -> bool:
    """Whether a process group has a process that has not ended.

    A process that has ended stays in its group until its parent collects it, and a container may
    have nobody who collects orphans. Only Linux tells the difference.
    """
    if not signal_group(group, 0):
        return False
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, _, process_group = path.read_bytes().rpartition(b")")[2].split()[:3]
            if int(process_group) == group and state not in (b"Z", b"X"):
                return True
    return not Path("/proc/self/stat").exists()


def main() -> None:
    """Read the list from standard input until it ends, then end what is left on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends after the run, never before
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    end_groups(groups)


if __name__ == "__main__":
    main()
