"""Download contents into a folder, each under its hash, whole and verified or not at all."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from kdtasks.core.errors import IntegrityError, StoreError, StoreMissingError, StoreUnreachableError
from kdtasks.core.files import flush_to_disk, partial_beside
from kdtasks.deploy.store.address import blob_key
from kdtasks.deploy.store.cache import is_intact
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.progress import Progress
from kdtasks.deploy.store.threads import concurrently
from kdtasks.deploy.store.version import StoredFile

_ATTEMPTS = 3
_READ_ONLY = 0o444


def download_files(
    objects: Objects, files: Iterable[StoredFile], folder: Path, progress: Progress
) -> None:
    """Download contents; each appears in `folder` under its hash.

    Raises:
        IntegrityError: the store holds something else under that hash.
        StoreMissingError: the store does not hold it.
        StoreUnreachableError: the network broke off for good; files that are complete stay.
    """
    wanted = list(files)
    progress.expect(sum(file.size for file in wanted))
    concurrently(lambda file: _download(objects, file, folder / file.sha256, progress), wanted)


def check_space(files: Iterable[StoredFile], folder: Path) -> None:
    """Make sure that the disk holds what is to be downloaded.

    Raises:
        StoreError: it does not.
    """
    needed, free = sum(file.size for file in files), shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the disk of {folder} is full: {needed / 1e6:,.1f} MB are needed and "
            f"{free / 1e6:,.1f} MB free; make room, or set KDTASKS_CACHE to a folder elsewhere"
        )


def _download(objects: Objects, file: StoredFile, target: Path, progress: Progress) -> None:
    key = blob_key(file.sha256)
    with partial_beside(target) as partial:
        for _ in range(_ATTEMPTS):
            with partial.open("wb") as stream:
                try:
                    objects.download(key, stream, progress.advance)
                except StoreMissingError:
                    raise StoreMissingError(
                        f"{key} ({file.path}) is not in the store; gc may have deleted this "
                        "version just now, pull again, or publish the bundle again"
                    ) from None
            if partial.stat().st_size == file.size:
                break  # otherwise the answer broke off, unnoticed
        else:
            raise StoreUnreachableError(
                f"{key} broke off {_ATTEMPTS} times; look at the network, and pull again"
            )
        if not is_intact(partial, file):
            raise IntegrityError(
                f"{key} ({file.path}) is damaged: its content has another hash; delete it in the "
                "store and publish the bundle again"
            )
        flush_to_disk(partial)
        partial.chmod(_READ_ONLY)
        partial.replace(target)
