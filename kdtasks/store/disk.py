"""Files that are written whole or not at all, and errors of the file system in plain words."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from kdtasks.errors import StoreError

CHUNK_BYTES = 1 << 20

PARTIAL = ".partial"

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def disk_errors(doing: str, where: Path) -> Iterator[None]:
    """Turn every OSError of the block into one line.

    Arguments:
        doing: what was being done: `writing the cache`.
        where: the file or folder that it was done to.

    Raises:
        StoreError: instead of OSError.
    """
    try:
        yield
    except OSError as error:
        place = error.filename or where
        if error.errno in _FULL:
            raise StoreError(
                f"{doing} in {where} failed: the disk is full; make room and run the same command "
                "again, it goes on where it stopped"
            ) from None
        if error.errno in _FORBIDDEN:
            raise StoreError(
                f"{doing} in {where} failed: {place} may not be written or read "
                f"({error.strerror}); change its owner or its mode, or use another folder"
            ) from None
        raise StoreError(f"{doing} in {where} failed: {place}: {error.strerror or error}") from None


@contextlib.contextmanager
def partial_beside(path: Path) -> Iterator[Path]:
    """Yield a hidden path in the same folder that nobody else uses; it is removed at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL}")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or write over it; several processes may."""
    with partial_beside(path) as partial:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def flush_names(folder: Path) -> None:
    """Make what was renamed in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
