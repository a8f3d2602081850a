"""A store in a plain folder: nothing to install, and the same files as in a bucket."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from kdtasks.core.errors import (
    IntegrityError,
    StoreConflictError,
    StoreMissingError,
    StoreUnreachableError,
)
from kdtasks.core.files import (
    CHUNK_BYTES,
    PARTIAL,
    disk_errors,
    flush_to_disk,
    partial_beside,
    write_whole,
)
from kdtasks.core.locks import locked
from kdtasks.core.safe_files import why_unsafe
from kdtasks.deploy.store.address import BLOBS
from kdtasks.deploy.store.objects import (
    RECORD_BYTES,
    Entry,
    LocalFile,
    OnBytes,
    StoredRecord,
    VerifiedReader,
)

_LOCK = ".lock"


class FolderObjects:
    """Objects as files below one folder.

    Files appear by renaming, so they are there whole or not at all. Records are compared and
    written under one lock of the folder.
    """

    def __init__(self, root: Path) -> None:
        """Name the folder; it is created by the first publisher."""
        self.root = root

    @property
    def identity(self) -> str:
        """The folder."""
        return self.root.as_uri()

    def read(self, key: str) -> StoredRecord:
        """Give a record."""
        with self._explained("reading", key), self._path(key).open("rb") as file:
            data = file.read(RECORD_BYTES + 1)
        if len(data) > RECORD_BYTES:
            raise IntegrityError(f"{key} has more bytes than any record; delete it")
        return StoredRecord(data, _tag(data))

    def create(self, key: str, data: bytes) -> None:
        """Write a record that does not exist yet."""
        with self._explained("writing", key), locked(self._path(_LOCK)):
            if self._path(key).exists():
                raise StoreConflictError(f"{key} exists already")
            self._write(key, data)

    def replace(self, key: str, data: bytes, tag: str) -> None:
        """Write over the record that has `tag`."""
        with self._explained("writing", key), locked(self._path(_LOCK)):
            path = self._path(key)
            if not path.exists() or _tag(path.read_bytes()) != tag:
                raise StoreConflictError(f"{key} was changed by somebody else")
            self._write(key, data)

    def upload(self, key: str, file: LocalFile, on_bytes: OnBytes) -> None:
        """Copy a file; it is hashed again on its way."""
        with self._explained("writing", key), partial_beside(self._path(key)) as partial:
            with file.path.open("rb") as stream, partial.open("wb") as copy:
                reader = VerifiedReader(stream, file)
                while chunk := reader.read(CHUNK_BYTES):
                    copy.write(chunk)
                    on_bytes(len(chunk))
            flush_to_disk(partial)
            partial.replace(self._path(key))

    def download(self, key: str, stream: BinaryIO, on_bytes: OnBytes) -> None:
        """Copy a file's bytes."""
        with self._explained("reading", key):
            file = self._path(key).open("rb")
        with file:
            while chunk := file.read(CHUNK_BYTES):
                stream.write(chunk)
                on_bytes(len(chunk))

    def stat(self, key: str) -> Entry | None:
        """Describe a file."""
        try:
            with self._explained("reading", key):
                return _entry(key, self._path(key).stat())
        except StoreMissingError:
            return None

    def touch(self, key: str) -> None:
        """Date a file anew."""
        with self._explained("writing", key):
            os.utime(self._path(key))

    def list(self, prefix: str) -> Iterator[Entry]:
        """Describe all files below a folder of the store; hidden ones are no objects."""
        self._check_root()
        with disk_errors(f"listing {prefix}", self.root):
            for folder, _, names in os.walk(self.root / prefix, onerror=_raise_unless_missing):
                for name in sorted(name for name in names if not name.startswith(".")):
                    path = Path(folder) / name
                    with contextlib.suppress(FileNotFoundError):  # others delete meanwhile
                        yield _entry(path.relative_to(self.root).as_posix(), path.stat())

    def delete(self, key: str) -> None:
        """Remove a file."""
        with self._explained("deleting", key):
            self._path(key).unlink(missing_ok=True)

    def now(self) -> datetime:
        """The date that a file gets when it is written now; a file server has its own clock."""
        with self._explained("writing", "a probe"), partial_beside(self.root / "probe") as probe:
            probe.touch()
            return _entry("probe", probe.stat()).modified

    def check_conditions(self) -> None:
        """Create the folder if it does not exist; locks make conditions hold."""
        with disk_errors("creating the store", self.root):
            if not self.root.parent.is_dir():
                raise StoreUnreachableError(
                    f"there is no {self.root.parent} to create the store {self.root.name} in; "
                    "mount it or create it first"
                )
            self.root.mkdir(exist_ok=True)

    def remove_leftovers(self, before: datetime) -> int:
        """Remove files that killed publishers did not finish."""
        removed = 0
        with self._explained("deleting", "leftovers"):
            for path in self.root.rglob(f".*{PARTIAL}"):
                with contextlib.suppress(FileNotFoundError):  # its publisher has just finished
                    if _entry("", path.stat()).modified < before:
                        path.unlink()
                        removed += 1
        return removed

    def _path(self, key: str) -> Path:
        """Where an object is; nothing on the way may lead out of the store, or wait for ever.

        Raises:
            IntegrityError: something there is a link, a pipe, a socket or a device.
        """
        path = self.root / key
        for part in (path, *path.parents):
            if part == self.root:
                break
            if kind := why_unsafe(part):
                raise IntegrityError(
                    f"{part} is {kind}; a store has files and folders alone, remove it"
                )
        return path

    def _write(self, key: str, data: bytes) -> None:
        # after a power cut a record must not be there without the blobs that it names
        if (self.root / BLOBS).is_dir():
            flush_to_disk(self.root / BLOBS)
        write_whole(self._path(key), data)
        flush_to_disk(self._path(key).parent)

    @contextlib.contextmanager
    def _explained(self, doing: str, key: str) -> Iterator[None]:
        with disk_errors(f"{doing} {key}", self.root):
            try:
                yield
            except FileNotFoundError as error:
                if error.filename is not None and self.root not in Path(error.filename).parents:
                    raise
                self._check_root()
                raise StoreMissingError(f"{key} is not in the store {self.root}") from None

    def _check_root(self) -> None:
        if not self.root.is_dir():
            raise StoreUnreachableError(
                f"the store's folder {self.root} was not found; mount it, or correct the address"
            )


def _raise_unless_missing(error: OSError) -> None:
    """Let no unreadable folder pass for an empty one."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _entry(key: str, status: os.stat_result) -> Entry:
    return Entry(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
