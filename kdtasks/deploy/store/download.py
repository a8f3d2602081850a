"""Download contents, several at once, and keep only what has the right hash."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from kdtasks.core.errors import IntegrityError, StoreError, StoreMissingError, StoreUnreachableError
from kdtasks.core.files import flush_to_disk, partial_beside
from kdtasks.deploy.store.address import blob_key
from kdtasks.deploy.store.cache import is_intact
from kdtasks.deploy.store.objects import Objects, OnBytes
from kdtasks.deploy.store.progress import TransferProgress
from kdtasks.deploy.store.records import StoredFile
from kdtasks.deploy.store.threads import concurrently

_ATTEMPTS = 3
_READ_ONLY = 0o444


def download_files(
    objects: Objects, files: Sequence[StoredFile], folder: Path, progress: TransferProgress
) -> None:
    """Download contents; each appears in `folder` under its hash.

    Raises:
        IntegrityError: the store holds something else under that hash.
        StoreMissingError: the store does not hold it.
        StoreUnreachableError: the network broke off for good; files that are complete stay.
        StoreError: the disk does not hold all of them.
    """
    needed, free = sum(file.size for file in files), shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the disk of {folder} is full: {needed / 1e6:,.1f} MB are needed and "
            f"{free / 1e6:,.1f} MB free; make room, or set KDTASKS_CACHE to a folder elsewhere"
        )
    progress.expect(needed)
    concurrently(lambda file: _download(objects, file, folder / file.sha256, progress), files)


def _up_to(file: StoredFile, key: str, progress: TransferProgress) -> OnBytes:
    """Tell of bytes as they come, and take no more than the file has."""
    received = 0

    def advance(count: int) -> None:
        nonlocal received
        received += count
        if received > file.size:
            raise IntegrityError(
                f"{key} ({file.path}) has more than the {file.size:,} bytes that its manifest "
                "says; delete it in the store and publish the bundle again"
            )
        progress.advance(count)

    return advance


def _download(objects: Objects, file: StoredFile, target: Path, progress: TransferProgress) -> None:
    key = blob_key(file.sha256)
    with partial_beside(target) as partial:
        for _ in range(_ATTEMPTS):
            with partial.open("wb") as stream:
                try:
                    objects.download(key, stream, _up_to(file, key, progress))
                except StoreMissingError:
                    raise StoreMissingError(
                        f"{key} ({file.path}) is not in the store; gc may have deleted this "
                        "version just now, pull again, or publish the bundle again"
                    ) from None
            if partial.stat().st_size == file.size:
                break  # otherwise the answer broke off, unnoticed
        else:
            tries = f"{_ATTEMPTS} times; check the network and pull again"
            raise StoreUnreachableError(f"{key} broke off {tries}")
        if not is_intact(partial, file):
            raise IntegrityError(
                f"{key} ({file.path}) is damaged: its content has another hash; delete it in the "
                "store and publish the bundle again"
            )
        flush_to_disk(partial)
        partial.chmod(_READ_ONLY)
        partial.replace(target)
