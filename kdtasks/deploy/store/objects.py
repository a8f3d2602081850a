"""What a store can do with its objects, whether it is a bucket or a folder."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from kdtasks.core.errors import StoreConflictError, StoreError, StoreMissingError

# Larger contents travel in parts of this size, several at once.
PART_BYTES = 8 << 20

# Manifests and aliases are far smaller; more than this is not read into memory.
RECORD_BYTES = 8 << 20
OnBytes = Callable[[int], None]


class StoredRecord(NamedTuple):
    """A small object, and the tag that tells its content from any other."""

    data: bytes
    tag: str


class Entry(NamedTuple):
    """What a store says of an object without giving its content."""

    key: str
    size: int  # bytes
    modified: datetime  # by the store's clock, with its time zone


class LocalFile(NamedTuple):
    """A file to upload, as it was when its hash was taken."""

    path: Path
    size: int
    sha256: str


def hash_file(path: Path) -> LocalFile:
    """Hash a file."""
    with path.open("rb", buffering=0) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return LocalFile(path, path.stat().st_size, sha256)


def files_in(folder: Path) -> set[str]:
    """Paths of all that is no folder in a folder, with slashes; none where it does not exist."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


class VerifiedReader:
    """Reads a file once, from its start to its end, where it must have its hash still."""

    def __init__(self, stream: BinaryIO, file: LocalFile) -> None:
        """Name the open file, and what was known of it."""
        self._stream, self._file = stream, file
        self._digest = hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        """Give the next bytes, fewer than `count` only at the end; all that are left if negative.

        Raises:
            StoreError: at the end, if the content is another than the one that was hashed.
        """
        data = self._stream.read(count)
        self._digest.update(data)
        is_end = count < 0 or not data
        if is_end and self._digest.hexdigest() != self._file.sha256:
            raise StoreError(
                f"{self._file.path} was changed while it was being published; publish it again"
            )
        return data


class Objects(Protocol):
    """The objects of one store.

    Every method raises StoreError in the words of the user where the store refuses, and
    StoreUnreachableError where it does not answer.
    """

    @property
    def identity(self) -> str:
        """Address and, for S3, endpoint: the same for the same store."""

    def read(self, key: str) -> StoredRecord:
        """Give a small object. Raises StoreMissingError."""

    def create(self, key: str, data: bytes) -> None:
        """Write a small object that does not exist yet. Raises StoreConflictError."""

    def replace(self, key: str, data: bytes, tag: str) -> None:
        """Write over the content that has `tag`. Raises StoreConflictError where it changed."""

    def upload(self, key: str, file: LocalFile, on_bytes: OnBytes) -> None:
        """Write a file's content, whole or not at all; one that is not what was hashed is not.

        Args:
            on_bytes: told how many bytes have gone, from any thread.
        """

    def download(self, key: str, stream: BinaryIO, on_bytes: OnBytes) -> None:
        """Write an object's content into an empty file. Raises StoreMissingError."""

    def stat(self, key: str) -> Entry | None:
        """Describe an object; null where there is none."""

    def touch(self, key: str) -> None:
        """Make an object's date the present. Raises StoreMissingError."""

    def list(self, prefix: str) -> Iterator[Entry]:
        """Describe all objects whose keys begin with `prefix`."""

    def delete(self, key: str) -> None:
        """Remove an object; one that does not exist is no error."""

    def now(self) -> datetime:
        """The time by the clock that dates the objects."""

    def check_conditions(self) -> None:
        """Make sure that `create` and `replace` are atomic here.

        Raises:
            StoreError: this server overwrites what it was asked not to.
        """

    def remove_leftovers(self, before: datetime) -> int:
        """Remove what uploads that broke off before that time left; gives their number."""


def write_record(objects: Objects, key: str, data: bytes, tag: str | None = None) -> None:
    """Create a small object, or write over the content that has `tag`.

    Raises:
        StoreConflictError: somebody else has written it.
    """
    try:
        if tag is None:
            objects.create(key, data)
        else:
            objects.replace(key, data, tag)
    except StoreConflictError:
        # an answer may have been lost and the request sent again: then it is there
        with contextlib.suppress(StoreMissingError):
            if objects.read(key).data == data:
                return
        raise
