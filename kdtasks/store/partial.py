"""A file that is being downloaded: it remembers, part by part, what has arrived.

Behind the content lies one number a part: how many of its bytes have arrived. A download that was
cut, even by `kill -9`, goes on from there. What a power cut may have mixed up shows in the hash.
"""

import contextlib
import fcntl
import hashlib
import math
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from kdtasks.store.disk import CHUNK_BYTES
from kdtasks.store.objects import PART_BYTES

_COUNTER = struct.Struct("<Q")


class PartialFile:
    """An open partial file; different parts may be written from different threads."""

    def __init__(self, descriptor: int, size: int) -> None:
        """Take an open file over.

        Arguments:
            descriptor: of the file; this does not close it.
            size: bytes of the finished content.
        """
        self._descriptor, self._size = descriptor, size
        self.parts = math.ceil(size / PART_BYTES)
        length = os.fstat(descriptor).st_size
        self._is_trimmed = length == size
        if not self._is_trimmed and length != size + self.parts * _COUNTER.size:
            self.clear()

    def clear(self) -> None:
        """Forget all that has arrived."""
        os.ftruncate(self._descriptor, 0)
        os.ftruncate(self._descriptor, self._size + self.parts * _COUNTER.size)
        self._is_trimmed = False

    def missing(self, index: int) -> tuple[int, int]:
        """Where the missing bytes of a part start, and how many they are."""
        length = min(PART_BYTES, self._size - index * PART_BYTES)
        arrived = length if self._is_trimmed else min(self._arrived(index), length)
        return index * PART_BYTES + arrived, length - arrived

    def append(self, index: int, chunk: bytes) -> None:
        """Write the next bytes of a part; they count only once they have been written."""
        start, _ = self.missing(index)
        view = memoryview(chunk)
        while view:
            count = os.pwrite(self._descriptor, view, start)
            view, start = view[count:], start + count
        arrived = _COUNTER.pack(start - index * PART_BYTES)
        os.pwrite(self._descriptor, arrived, self._size + index * _COUNTER.size)

    def sha256(self, arriving: Iterable[int] | None = None) -> str:
        """Hash the content as it lies in the file.

        Arguments:
            arriving: numbers of parts as they become complete; each is hashed as soon as all
                before it have been. Without it all of them are complete.
        """
        digest, ready, hashed = hashlib.sha256(), set(), 0
        for index in range(self.parts) if arriving is None else arriving:
            ready.add(index)
            while hashed in ready:
                self._hash_part(digest, hashed)
                hashed += 1
        return digest.hexdigest()

    def finish(self) -> None:
        """Cut off what lies behind the content, which is complete, and flush it to the disk."""
        os.ftruncate(self._descriptor, self._size)
        self._is_trimmed = True
        os.fsync(self._descriptor)

    def _hash_part(self, digest: "hashlib._Hash", index: int) -> None:
        end = min((index + 1) * PART_BYTES, self._size)
        first = index * PART_BYTES
        for start in range(first, end, CHUNK_BYTES):
            digest.update(os.pread(self._descriptor, min(CHUNK_BYTES, end - start), start))
        # has Linux begin to write to the disk, so that little is left to flush at the end
        with contextlib.suppress(AttributeError, OSError):
            os.posix_fadvise(self._descriptor, first, end - first, os.POSIX_FADV_DONTNEED)

    def _arrived(self, index: int) -> int:
        data = os.pread(self._descriptor, _COUNTER.size, self._size + index * _COUNTER.size)
        count: int = _COUNTER.unpack(data)[0]
        return count


@contextlib.contextmanager
def open_partial(path: Path, size: int) -> Iterator[PartialFile | None]:
    """Open a partial file, or begin it; others who want it wait.

    Yields: the file; null where another process has finished and renamed it meanwhile.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            is_same = os.path.samestat(os.fstat(descriptor), path.stat())
        except FileNotFoundError:
            is_same = False
        yield PartialFile(descriptor, size) if is_same else None
    finally:
        os.close(descriptor)
