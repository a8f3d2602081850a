"""A folder for a socket: gone with its process, or, where that was killed, with a later one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from kdtasks.core.locks import locked_if_free

PREFIX, LOCK = "kdtasks-warm-", "lock"


@contextmanager
def socket_folder() -> Iterator[Path]:
    """Give a new folder, and remove those whose processes are no more.

    Each holds a lock in its folder as long as it lives; the kernel gives up that of a killed one.
    """
    _remove_left()
    with ExitStack() as stack:
        while True:
            new = TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(new))
            with suppress(FileNotFoundError):  # taken for one that was left, before it was locked
                lock = stack.enter_context(locked_if_free(folder / LOCK))
                if lock is not None and (folder / LOCK).exists():
                    break
        yield folder


def _remove_left() -> None:
    for folder in Path(gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue  # somebody else's
            with locked_if_free(folder / LOCK) as lock:
                if lock is not None:
                    shutil.rmtree(folder)
