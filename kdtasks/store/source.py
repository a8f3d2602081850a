"""A file to upload, and the hash that its content is known by."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kdtasks.errors import BundleError, StoreError
from kdtasks.store.background import in_background


class Claim(NamedTuple):
    """What somebody says of a file's content before it has been hashed."""

    path: str  # inside its folder, with slashes
    sha256: str  # hex
    by: str  # who says so, for errors


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
