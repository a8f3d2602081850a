"""Kill a process in the middle of what it does: at an operation on files, or at a byte.

The process is a fork of this one, so hundreds of deaths cost seconds. It dies as by `kill -9`: no
`finally`, no buffers flushed, no locks given up by hand.
"""

import http.client
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

KILLED = 137
_FILE_EVENTS = frozenset(
    (
        *("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate"),
        *("os.chmod", "os.utime", "os.scandir", "fcntl.flock", "shutil.rmtree", "shutil.copyfile"),
    )
)


class Budget:
    """So many operations or bytes, then death."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.spent = 0

    def spend(self, count: int = 1) -> None:
        self.spent += count
        if self.spent > self.left:
            os._exit(KILLED)


def count_file_operations(budget: Budget) -> None:
    sys.addaudithook(lambda event, _: budget.spend() if event in _FILE_EVENTS else None)


def count_requests(budget: Budget) -> None:
    """Die before a request is sent, or after it was, before its answer."""
    for name in ("putrequest", "getresponse"):
        step = getattr(http.client.HTTPConnection, name)

        def counted(self: Any, *arguments: Any, step: Any = step, **options: Any) -> Any:
            budget.spend()
            return step(self, *arguments, **options)

        setattr(http.client.HTTPConnection, name, counted)


def count_sent_bytes(budget: Budget) -> None:
    """Die inside of what is being sent, when the server has got a part of it."""
    send_all = socket.socket.sendall

    def sendall(self: socket.socket, data: Any, *flags: int) -> None:
        left = budget.left - budget.spent
        if left < len(data):
            send_all(self, memoryview(data)[: max(left, 0)])
        budget.spend(len(data))
        send_all(self, data, *flags)

    setattr(socket.socket, "sendall", sendall)  # noqa: B010  (mypy lets no method be assigned)


def count_received_bytes(budget: Budget) -> None:
    receive = socket.socket.recv_into

    def recv_into(self: socket.socket, *arguments: Any) -> int:
        count = receive(self, *arguments)
        budget.spend(count)
        return count

    setattr(socket.socket, "recv_into", recv_into)  # noqa: B010


def limit_file_size(budget: Budget) -> None:
    """Die by the kernel's hand at the write that makes any file longer than so many bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (budget.left, budget.left))


WAYS: dict[str, Callable[[Budget], None]] = {
    "file operation": count_file_operations,
    "request": count_requests,
    "sent byte": count_sent_bytes,
    "received byte": count_received_bytes,
    "byte of a file": limit_file_size,
}
UNLIMITED = 1 << 60


def run_forked(action: Callable[[], object], way: str, left: int) -> tuple[bool, int]:
    """Run an action in a fork: whether it was killed, and how much it spent if it was not."""
    reading, writing = os.pipe()
    number = os.fork()
    if number == 0:
        try:
            budget = Budget(left)
            if not (way == "byte of a file" and left == UNLIMITED):
                WAYS[way](budget)
            action()
            os.write(writing, b"%d" % budget.spent)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        spent = pipe.read()
    _, status = os.waitpid(number, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGXFSZ
        return True, 0
    assert os.WEXITSTATUS(status) in (0, KILLED), "the action failed before it was killed"
    return os.WEXITSTATUS(status) == KILLED, int(spent or 0)


@pytest.fixture
def run_killed() -> Callable[[Callable[[], object], str, int], bool]:
    """Give a function that runs an action until it is killed; says whether it was."""
    return lambda action, way, left: run_forked(action, way, left)[0]


@pytest.fixture
def measure() -> Callable[[Callable[[], object], str], int]:
    """Give a function that runs an action whole and says how much of a budget it spends.

    Somewhat less where bytes of requests are counted, which differ a little from run to run.
    """

    def spent(action: Callable[[], object], way: str) -> int:
        _, whole = run_forked(action, way, UNLIMITED)
        return int(whole * 0.95) if way in ("sent byte", "received byte") else whole

    return spent
