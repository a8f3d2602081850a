"""A file to upload, and the hash that its content is known by."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from kdtasks.errors import BundleError, StoreError


class Claim(NamedTuple):
    """What somebody says of a file's content before it has been hashed."""

    path: str  # inside its folder, with slashes
    sha256: str  # hex
    by: str  # who says so, for errors


class Source(NamedTuple):
    """A file to upload, as it was when its hash was taken."""

    path: Path
    size: int
    sha256: str
    modified_ns: int
    # Who says that this is its hash, where nobody has computed it yet: then whoever sends the
    # content computes it on the way, and whoever relies on a copy of it does so before.
    claimed_by: str | None = None

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

    def check_claim(self, found: str) -> None:
        """Compare a hash that was claimed with the one that was computed.

        Raises:
            BundleError: it is another.
        """
        if self.claimed_by and found != self.sha256:
            raise BundleError(
                f"{self.path} has the SHA-256 {found}, {self.claimed_by} says {self.sha256}; "
                "export the bundle again"
            )

    def confirmed(self) -> "Source":
        """Compute a hash that was only claimed so far.

        Raises:
            BundleError: it is another.
            StoreError: the file was written to meanwhile.
        """
        if not self.claimed_by:
            return self
        self.check_claim(hash_file(self.path))
        self.check_unchanged()
        return self._replace(claimed_by=None)


def hash_file(path: Path) -> str:
    """Give the SHA-256 of a file, hex."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
