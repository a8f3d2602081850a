"""What a store can do with its objects, whether it is a bucket or a folder."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

from kdtasks.errors import StoreError, StoreMissingError
from kdtasks.store.address import Address, FolderAddress
from kdtasks.store.source import Source

# Larger contents travel in parts of this size, several at once.
PART_BYTES = 8 << 20
# Manifests and aliases are far smaller; more than this is not read into memory.
RECORD_BYTES = 8 << 20

OnBytes = Callable[[int], None]
RunParts = Callable[[Callable[[int], None], range], None]


class Record(NamedTuple):
    """A small object, and the tag that tells its content from any other."""

    data: bytes
    tag: str


class Entry(NamedTuple):
    """What a store says of an object without giving its content."""

    key: str
    size: int  # bytes
    modified: datetime  # by the store's clock, with its time zone


class Objects(Protocol):
    """The objects of one store.

    Every method raises StoreError in the words of the user where the store refuses, and
    StoreUnreachableError where it does not answer.
    """

    @property
    def identity(self) -> str:
        """Address and, for S3, endpoint: the same for the same store."""

    def read(self, key: str) -> Record:
        """Give a small object. Raises StoreMissingError."""

    def create(self, key: str, data: bytes) -> None:
        """Write a small object that is not there yet. Raises StoreConflictError."""

    def replace(self, key: str, data: bytes, tag: str) -> None:
        """Write over the content that has `tag`. Raises StoreConflictError where it changed."""

    def upload(self, key: str, source: Source, *, on_bytes: OnBytes, run_parts: RunParts) -> None:
        """Write a file's content, whole or not at all; one that is not what was claimed is not.

        Arguments:
            on_bytes: told how many bytes have gone, from any thread.
            run_parts: calls a function with every number of a range, several at once.
        """

    def download(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Give bytes from `start` on, in chunks. Raises StoreMissingError."""

    def stat(self, key: str) -> Entry | None:
        """Describe an object; null where there is none."""

    def touch(self, key: str) -> None:
        """Make an object's date the present. Raises StoreMissingError."""

    def list(self, prefix: str) -> Iterator[Entry]:
        """Describe all objects whose keys begin with `prefix`."""

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    def now(self) -> datetime:
        """The time by the clock that dates the objects."""

    def begin_writing(self) -> None:
        """Begin to find out what writing needs to know, without waiting for answers."""

    def check_conditions(self) -> None:
        """Make sure that `create` and `replace` are atomic here.

        Raises:
            StoreError: this server overwrites what it was asked not to.
        """

    def remove_leftovers(self, before: datetime) -> int:
        """Remove what uploads that broke off before that time left; gives their number."""


def is_there(objects: Objects, key: str, data: bytes) -> bool:
    """Whether a small object has just this content."""
    try:
        return objects.read(key).data == data
    except StoreMissingError:
        return False


def open_objects(address: Address) -> Objects:
    """Open a store; nothing is asked of it yet.

    Raises:
        StoreError: boto3 is needed and not installed, or its settings are wrong.
    """
    if isinstance(address, FolderAddress):
        from kdtasks.store.folder import FolderObjects

        return FolderObjects(address)
    # boto3 takes a third of a second to import, and a store in a folder does without it
    try:
        from kdtasks.store.bucket import BucketObjects
        from kdtasks.store.bucket_client import make_client
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{address} needs the package {error.name}; pip install 'kdtasks[store]'"
        ) from None
    return BucketObjects(address, make_client())
