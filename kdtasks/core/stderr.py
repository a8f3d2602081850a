"""Keep what libraries of native code write to standard error off the terminal, but no error."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kdtasks.core.errors import KdTasksError

# Standard error is the whole process's: two threads must not put it back in the wrong order.
_ONE_AT_A_TIME = threading.RLock()


def is_no_information(line: str) -> bool:
    """Whether a line is anything but what LiteRT writes of itself, such as `INFO: Created …`."""
    return not line.startswith("INFO: ")


@contextmanager
def held_stderr(
    passes: Callable[[str], bool] = lambda line: False,
) -> Iterator[Callable[[], str]]:
    """Hold back what is written to standard error, by C++ as well.

    Args:
        passes: says of a line whether it is written once the block is through. Where the block
            fails by an error that is not the project's own, all are.

    Yields: a function that gives what was written so far.
    """
    import tempfile  # here: a device's first answer waits for it

    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as kept:
        _flush()
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)

        def captured() -> str:
            kept.seek(0)
            return kept.read().decode(errors="replace")

        has_failed = True
        try:
            yield captured
            has_failed = False
        except KdTasksError:  # it tells what there is to tell
            has_failed = False
            raise
        finally:
            _flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            lines = [line for line in captured().splitlines(True) if has_failed or passes(line)]
            os.write(2, "".join(lines).encode())


def _flush() -> None:
    if sys.stderr:  # a service may have none
        sys.stderr.flush()
