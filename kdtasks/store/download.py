"""Download contents into a folder: side by side, going on where a download was cut, verified."""

import os
import queue
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

from kdtasks.errors import (
    IntegrityError,
    StoreError,
    StoreMissingError,
    StoreUnreachableError,
)
from kdtasks.store.background import in_background
from kdtasks.store.disk import PARTIAL
from kdtasks.store.layout import blob_key
from kdtasks.store.objects import PART_BYTES, Objects
from kdtasks.store.partial import PartialFile, open_partial
from kdtasks.store.transfers import Transfers
from kdtasks.store.version import StoredFile

_ATTEMPTS = 3  # in a row, without a byte that arrived
_FIRST_PAUSE = 0.25  # seconds; doubled every time
_READ_ONLY = 0o444


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
