"""What Ctrl-C, SIGTERM and SIGHUP do to a run: they stop it once and leave its clean-up alone."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Let the first signal that asks to stop raise KeyboardInterrupt; those after it do nothing.

    The clean-up that the first one starts ends by itself, so nobody needs a second one, and
    terminals and process supervisors often send two. Signals that were ignored before (as `nohup`
    does with SIGHUP) still are.

    Yields: a function that says whether one has come.
    """
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) == 1:
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
