"""Where a store is: `s3://bucket/prefix`, `file:///folder` or the path of a folder."""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from kdtasks.errors import StoreError

_BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,254}")
_ONE_SLASH = re.compile(r"(s3:|file:)/*(.*)")
_EXAMPLES = "s3://bucket/prefix, file:///folder or the path of a folder"


class BucketAddress(NamedTuple):
    """A bucket, and what the keys of the store begin with in it."""

    bucket: str
    prefix: str  # empty, or ends with a slash

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


class FolderAddress(NamedTuple):
    """A folder of this machine, or one that is mounted here."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)


Address = BucketAddress | FolderAddress


def parse_address(text: str) -> Address:
    """Read a store's address.

    Raises:
        StoreError: it names neither a bucket nor a folder.
    """
    if not text.strip():
        raise StoreError(f"the store's address is empty; give {_EXAMPLES}")
    if "://" not in text:
        if match := _ONE_SLASH.match(text):
            slashes = "//" if match[1] == "s3:" else "///"
            meant = f"{match[1]}{slashes}{match[2]}"
            raise StoreError(f"{text!r} is neither a bucket nor a folder; did you mean {meant}?")
        return _folder(Path(text).expanduser())
    parts = urlsplit(text)
    if parts.scheme == "s3":
        prefix = parts.path.strip("/")
        if not _BUCKET.fullmatch(parts.netloc):
            raise StoreError(f"{text!r} names no bucket; expected s3://bucket/prefix")
        if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
            raise StoreError(f"{text!r} has an empty part, '.' or '..' in its prefix; remove it")
        return BucketAddress(parts.netloc, f"{prefix}/" if prefix else "")
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise StoreError(f"{text!r} names no folder; expected file:///folder, three slashes")
        return _folder(Path(unquote(parts.path)))
    raise StoreError(f"{text!r} is no store that kdtasks knows; expected {_EXAMPLES}")


def _folder(path: Path) -> FolderAddress:
    if path.is_file():
        raise StoreError(f"{path} is a file; a store is a folder or a bucket: give {_EXAMPLES}")
    return FolderAddress(path.resolve())
