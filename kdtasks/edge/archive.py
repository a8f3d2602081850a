"""A bundle in one `.kdz` file: a zip of a few stored files, read without unpacking it.

Nothing in it is compressed, so its files can never be larger than itself.
"""

import zipfile
from pathlib import Path

from kdtasks.errors import BundleError

SUFFIX = ".kdz"
MOST_FILES = 100


class Archive:
    """The files of a `.kdz`, checked when it is opened and again when one is read."""

    def __init__(self, path: Path) -> None:
        """Open an archive.

        Raises:
            BundleError: it is no zip, or holds what no bundle does: folders, paths that lead out
                of it, one name twice, compressed or encrypted files, more bytes than itself.
        """
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise BundleError(
                f"{path} is no whole .kdz file ({error}); fetch or pack it again"
            ) from None
        entries = self._zip.infolist()
        self._check(entries)
        self.names = tuple(sorted(entry.filename for entry in entries))

    def read(self, name: str) -> bytes:
        """Give the content of a file.

        Raises:
            BundleError: it is not there, or damaged.
        """
        if name not in self.names:
            raise BundleError(f"{self.path} holds no {name}; fetch or pack it again")
        try:
            return self._zip.read(name)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise BundleError(
                f"{name} in {self.path} is damaged ({error}); fetch or pack it again"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __enter__(self) -> "Archive":
        """Give the archive, which is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _check(self, entries: list[zipfile.ZipInfo]) -> None:
        problem = None
        names = [entry.filename for entry in entries]
        if len(entries) > MOST_FILES:
            problem = f"holds {len(entries)} files, a bundle has a few"
        elif len(set(names)) < len(names):
            problem = f"holds {next(name for name in names if names.count(name) > 1)!r} twice"
        elif sum(entry.file_size for entry in entries) > self.path.stat().st_size:
            problem = (
                f"claims {sum(entry.file_size for entry in entries):,} bytes of files in "
                f"{self.path.stat().st_size:,} of its own"
            )
        for entry in entries:
            if problem:
                break
            problem = _problem_of(entry)
        if problem:
            self.close()
            raise BundleError(
                f"{self.path} {problem}; only what `kdtasks pack` writes is opened, pack it again"
            )


def _problem_of(entry: zipfile.ZipInfo) -> str | None:
    name = entry.filename
    if not name or name.startswith(".") or set(name) & set("/\\:\0"):
        return f"holds {name!r}, a bundle's files lie side by side, without folders"
    if entry.flag_bits & 0x1:
        return f"holds {name!r} encrypted"
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        return f"holds {name!r} compressed, a bundle's files are stored as they are"
    return None
