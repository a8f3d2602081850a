"""What a store can do with its objects, whether it is a bucket or a folder."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from kdtasks.core.errors import BundleError, StoreError, StoreMissingError

# Larger contents travel in parts of this size, several at once.
PART_BYTES = 8 << 20

# Manifests and aliases are far smaller; more than this is not read into memory.
RECORD_BYTES = 8 << 20
OnBytes = Callable[[int], None]
RunParts = Callable[[Callable[[int], None], range], None]
R = TypeVar("R")


class Record(NamedTuple):
    """A small object, and the tag that tells its content from any other."""

    data: bytes
    tag: str


class Entry(NamedTuple):
    """What a store says of an object without giving its content."""

    key: str
    size: int  # bytes
    modified: datetime  # by the store's clock, with its time zone


class Hashing(NamedTuple):
    """A hash that is being computed, and is only claimed meanwhile."""

    claimed_by: str
    wait: Callable[[], str]  # gives the hash, hex


class Source(NamedTuple):
    """A file to upload, as it was when its hash was taken."""

    path: Path
    size: int
    sha256: str
    modified_ns: int
    # While this is there the hash is a claim: the content may be sent, but neither it nor a copy
    # that the store has may be relied on before `confirmed`.
    hashing: Hashing | None = None

    def check_unchanged(self) -> None:
        """Make sure that the file still is the one that was hashed.

        Raises:
            StoreError: it was written to meanwhile.
        """
        status = self.path.stat()
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified_ns):
            raise StoreError(
                f"{self.path} was changed while it was being published; publish it again"
            )

    def confirmed(self) -> "Source":
        """Wait until its hash is known and not only claimed.

        Raises:
            BundleError: it is another than was claimed.
            StoreError: the file was written to meanwhile.
        """
        if self.hashing is None:
            return self
        found = self.hashing.wait()
        self.check_unchanged()
        if found != self.sha256:
            raise BundleError(
                f"{self.path} has the SHA-256 {found}, {self.hashing.claimed_by} says "
                f"{self.sha256}; export the bundle again"
            )
        return self._replace(hashing=None)


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


class Claim(NamedTuple):
    """What somebody says of a file's content before it has been hashed."""

    path: str  # inside its folder, with slashes
    sha256: str  # hex
    by: str  # who says so, for errors


def read_source(path: Path) -> Source:
    """Hash a file."""
    status = path.stat()
    return Source(path, status.st_size, _hash(path), status.st_mtime_ns)


def claimed_source(path: Path, claim: Claim) -> Source:
    """Begin to hash a file whose hash is claimed."""
    status = path.stat()
    hashing = Hashing(claim.by, in_background(lambda: _hash(path)))
    return Source(path, status.st_size, claim.sha256, status.st_mtime_ns, hashing)


def _hash(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Background(Generic[R]):
    """A function that is called once, in a thread, and whose result everybody gets.

    A failure is not kept: whoever asks after it has the function called again. The thread is a
    daemon: a program that is interrupted does not wait for it.
    """

    def __init__(self, function: Callable[[], R]) -> None:
        """Name the function; it is not called yet."""
        self._function = function
        self._lock = threading.Lock()
        self._future: Future[R] | None = None

    def start(self) -> None:
        """Begin, unless it has begun or is done."""
        self._begun()

    def result(self) -> R:
        """Wait for the result.

        Raises:
            BaseException: what the function raised.
        """
        return self._begun().result()

    def finish(self) -> None:
        """Wait for the end, if it has begun, whatever comes of it."""
        if self._future:
            self._future.exception()

    def check(self) -> None:
        """Do not wait.

        Raises:
            BaseException: what the function has raised by now.
        """
        if self._future and self._future.done():
            self._future.result()

    def _begun(self) -> Future[R]:
        with self._lock:
            if self._future is None or (self._future.done() and self._future.exception()):
                self._future = Future()
                threading.Thread(target=self._run, args=(self._future,), daemon=True).start()
            return self._future

    def _run(self, future: Future[R]) -> None:
        try:
            future.set_result(self._function())
        except BaseException as error:
            future.set_exception(error)


def in_background(function: Callable[[], R]) -> Callable[[], R]:
    """Start a function in a thread; gives a function that waits for its result or its error."""
    background = Background(function)
    background.start()
    return background.result
