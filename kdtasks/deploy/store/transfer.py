"""Run transfers side by side; the first error, or Ctrl-C, stops all of them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import os
import queue
import random
import shutil
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO, TypeVar

from kdtasks.core.errors import IntegrityError, StoreError, StoreMissingError, StoreUnreachableError
from kdtasks.core.files import CHUNK_BYTES, PARTIAL
from kdtasks.deploy.store.address import blob_key
from kdtasks.deploy.store.objects import PART_BYTES, Objects, in_background
from kdtasks.deploy.store.version import StoredFile

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


T = TypeVar("T")

# Over a fast network a few workers keep the processor busy, and more would stand in their way; over
# a slow one most of them wait, so workers are added for as long as the processor has time left.
_FIRST_WORKERS = 4
WORKERS = 16
_LOOK_SECONDS = 0.2
_BUSY = 0.6  # of one core: Python runs on no more
_LINGER_SECONDS = 1.0
_PLAIN_SECONDS = 5.0
_ATTEMPTS = 3  # in a row, without a byte that arrived
_FIRST_PAUSE = 0.25  # seconds; doubled every time
_READ_ONLY = 0o444
_COUNTER = struct.Struct("<Q")


class TransferStopped(Exception):  # noqa: N818  (not an error: another transfer had one)
    """Raised inside a transfer that is to stop."""


class Progress(Protocol):
    """Where a transfer reports to; both may be called from any thread."""

    def expect(self, total: int) -> None:
        """Say how many bytes are to be transferred in all."""

    def advance(self, count: int) -> None:
        """Say that so many bytes more have been."""


class Transfers:
    """Runs functions in threads and passes their progress on.

    The threads are daemons: a program that is interrupted ends at once instead of waiting for
    slow servers. Whatever they do may be cut off anywhere.
    """

    def __init__(self, workers: int = WORKERS, progress: Progress | None = None) -> None:
        """Set how many run at once at most, and where progress is shown."""
        self._workers = workers
        self.progress = progress or NoProgress()
        self._stopping = threading.Event()

    def advance(self, count: int) -> None:
        """Report bytes from a transfer.

        Raises:
            TransferStopped: the transfer is to stop.
        """
        if self._stopping.is_set():
            raise TransferStopped
        self.progress.advance(count)

    def wait(self, seconds: float) -> None:
        """Sleep in a transfer.

        Raises:
            TransferStopped: the transfer is to stop.
        """
        if self._stopping.wait(seconds):
            raise TransferStopped

    def run(self, function: Callable[[T], object], items: Iterable[T]) -> None:
        """Call `function` with every item, several at once, and wait for all.

        Raises:
            Exception: the first one that a call raised; the other calls were stopped.
        """
        waiting = list(items)
        if len(waiting) < 2 or self._workers == 1:
            for item in waiting:
                function(item)
            return
        jobs: queue.SimpleQueue[T] = queue.SimpleQueue()
        for item in waiting:
            jobs.put(item)
        ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                while not self._stopping.is_set():
                    function(jobs.get_nowait())
            except queue.Empty:
                ended.put(None)
            except BaseException as error:
                ended.put(error)
            else:
                ended.put(TransferStopped())

        threads: list[threading.Thread] = []
        most = min(self._workers, len(waiting))

        def start(count: int) -> None:
            for _ in range(min(count, most - len(threads))):
                threads.append(threading.Thread(target=work, daemon=True))
                threads[-1].start()

        try:
            start(_FIRST_WORKERS)
            finished, load = 0, _Load()
            while finished < len(threads):
                try:
                    error = ended.get(timeout=None if len(threads) == most else _LOOK_SECONDS)
                except queue.Empty:
                    if not jobs.empty() and load.share() < _BUSY:
                        start(len(threads))
                    continue
                if error is not None:
                    raise error
                finished += 1
        except BaseException:
            self._stopping.set()
            until = time.monotonic() + _LINGER_SECONDS
            for thread in threads:
                if thread.is_alive():
                    thread.join(max(0.0, until - time.monotonic()))
            raise


class _Load:
    """How busy this process is."""

    def __init__(self) -> None:
        self._last = time.monotonic(), time.process_time()

    def share(self) -> float:
        """Cores in use since the last look."""
        now = time.monotonic(), time.process_time()
        (wall, processor), self._last = self._last, now
        return (now[1] - processor) / max(now[0] - wall, 1e-9)


class NoProgress:
    """Shows nothing."""

    def expect(self, total: int) -> None:
        """Do nothing."""

    def advance(self, count: int) -> None:
        """Do nothing."""


class PlainProgress:
    """A line every few seconds; none at all for what is quicker."""

    def __init__(self, verb: str, stream: TextIO) -> None:
        """Say what is being done, and where to write."""
        self._verb, self._stream = verb, stream
        self._total = self._done = 0
        self._told = time.monotonic()

    def expect(self, total: int) -> None:
        """Remember the total."""
        self._total = total

    def advance(self, count: int) -> None:
        """Write a line if the last one is long ago."""
        self._done += count
        if time.monotonic() - self._told > _PLAIN_SECONDS:
            self._told = time.monotonic()
            share = f"{self._done / self._total:.0%}" if self._total else ""
            print(f"{self._verb}: {self._done / 1e6:,.1f} MB {share}", file=self._stream)


@contextlib.contextmanager
def show_progress(verb: str) -> Iterator[Progress]:
    """Yield a progress on standard error that fits it.

    Arguments:
        verb: `uploading` or `downloading`.
    """
    stream = sys.stderr
    try:
        # only a terminal needs rich, and not every device has it
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bar
    except ModuleNotFoundError:
        yield PlainProgress(verb, stream)
        return
    console = Console(file=stream)
    if not console.is_terminal:
        yield PlainProgress(verb, stream)
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(TextColumn(verb), *columns, console=console, transient=True) as bar:
        yield _RichProgress(bar, bar.add_task(verb, total=None))


class _RichProgress:
    """rich's bar, which has a lock of its own."""

    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def expect(self, total: int) -> None:
        """Set the length of the bar."""
        self._bar.update(self._task, total=total)

    def advance(self, count: int) -> None:
        """Move it."""
        self._bar.update(self._task, advance=count)


def download_files(
    objects: Objects, files: Iterable[StoredFile], folder: Path, transfers: Transfers
) -> None:
    """Download contents that `folder` lacks; each appears there under its hash, verified.

    Raises:
        IntegrityError: the store holds something else under that hash.
        StoreMissingError: the store does not hold it.
        StoreUnreachableError: the network broke off for good; calling again goes on from there.
    """
    wanted = list(files)
    transfers.progress.expect(sum(file.size for file in wanted))

    def download(file: StoredFile) -> None:
        _download(objects, file, folder, transfers)

    for large in (file for file in wanted if file.size > PART_BYTES):
        download(large)
    transfers.run(download, [file for file in wanted if file.size <= PART_BYTES])


def check_space(files: Iterable[StoredFile], folder: Path) -> None:
    """Make sure that the disk holds what is to be downloaded.

    Raises:
        StoreError: it does not.
    """
    needed = 0
    for file in files:
        partial = folder / f"{file.sha256}{PARTIAL}"
        arrived = partial.stat().st_blocks * 512 if partial.exists() else 0
        needed += max(0, file.size - arrived)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the disk of {folder} is full: {needed / 1e6:,.1f} MB are needed and "
            f"{free / 1e6:,.1f} MB free; make room, or set KDTASKS_CACHE to a folder elsewhere"
        )


def _download(objects: Objects, file: StoredFile, folder: Path, transfers: Transfers) -> None:
    target = folder / file.sha256
    path = folder / f"{file.sha256}{PARTIAL}"
    while not target.exists():
        with open_partial(path, file.size) as partial:
            if partial is None:
                continue  # somebody else had it, and has finished or given up
            is_resumed = any(
                partial.missing(index)[0] > index * PART_BYTES for index in range(partial.parts)
            )
            if _fetch(objects, file, partial, transfers) != file.sha256:
                partial.clear()
                if is_resumed:
                    continue  # the first piece may be to blame: once more from the start
                path.unlink(missing_ok=True)
                raise IntegrityError(
                    f"{blob_key(file.sha256)} ({file.path}) is damaged: its content has another "
                    "hash; delete it in the store and publish the bundle again"
                )
            partial.finish()
            path.chmod(_READ_ONLY)
            os.replace(path, target)  # noqa: PTH105


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

    def _hash_part(self, digest: hashlib._Hash, index: int) -> None:
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


def _fetch(objects: Objects, file: StoredFile, partial: PartialFile, transfers: Transfers) -> str:
    """Complete a file, and give the hash of what lies in it then; parts are hashed meanwhile."""
    complete: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def fetch(index: int) -> None:
        start = index * PART_BYTES
        transfers.advance(partial.missing(index)[0] - start)
        _fetch_part(objects, file, partial, index, transfers)
        complete.put(index)

    if partial.parts < 2:
        transfers.run(fetch, range(partial.parts))
        return partial.sha256()
    hashing = in_background(lambda: partial.sha256(iter(complete.get, None)))
    try:
        transfers.run(fetch, range(partial.parts))
    finally:
        complete.put(None)
        found = hashing()  # also after an error: nobody may read from a file that is closed
    return found


def _fetch_part(
    objects: Objects, file: StoredFile, partial: PartialFile, index: int, transfers: Transfers
) -> None:
    """Ask for what is missing of a part until nothing is."""
    key, failures = blob_key(file.sha256), 0
    while (missing := partial.missing(index))[1]:
        problem = StoreUnreachableError(f"{key} broke off")
        try:
            for chunk in objects.download(key, *missing):
                partial.append(index, chunk)
                transfers.advance(len(chunk))
        except StoreMissingError:
            raise StoreMissingError(
                f"{key} ({file.path}) is not in the store; gc may have deleted this version just "
                "now, pull again, or publish the bundle again"
            ) from None
        except StoreUnreachableError as error:
            problem = error
        failures = failures + 1 if partial.missing(index) == missing else 0
        if failures >= _ATTEMPTS:
            raise problem
        if failures:
            transfers.wait(_FIRST_PAUSE * 2**failures * random.uniform(0.5, 1.0))


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
