"""Where a store is: `s3://bucket/prefix`, `file:///folder` or the path of a folder."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from kdtasks.core.errors import StoreError

_BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,254}")
_ONE_SLASH = re.compile(r"(s3:|file:)/*(.*)")
_EXAMPLES = "s3://bucket/prefix, file:///folder or the path of a folder"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_ALIAS = re.compile(r"[a-z][a-z0-9._-]{0,99}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
BLOBS = "blobs/sha256/"
MODELS = "models/"
TELEMETRY = "telemetry/"
KEYS = "keys/"
PROBES = "probes/"
_VERSION_KEY = re.compile(r"models/([^/]+)/versions/([1-9][0-9]{0,8})\.json")
_ALIAS_KEY = re.compile(r"models/([^/]+)/aliases/([^/]+)\.json")

# What a pull writes beside a version's files, so no file of a version may have its name.
RECEIPT = ".kdtasks-version.json"
_FORBIDDEN = frozenset('\\:*?"<>|')

_LONGEST_PART = 200  # bytes; file systems allow 255, temporary names need some


class BucketAddress(NamedTuple):
    """A bucket, and what the keys of the store begin with in it."""

    bucket: str
    prefix: str  # empty, or ends with a slash

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


Address = BucketAddress | Path


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


def _folder(path: Path) -> Path:
    if path.is_file():
        raise StoreError(f"{path} is a file; a store is a folder or a bucket: give {_EXAMPLES}")
    return path.resolve()


class Reference(NamedTuple):
    """What is asked for: a model's version by number, by alias, or the newest (null)."""

    name: str
    selector: int | str | None = None

    def __str__(self) -> str:
        return self.name if self.selector is None else f"{self.name}@{self.selector}"


def check_name(name: str) -> str:
    """Give a model's name back if it is one.

    Raises:
        StoreError: it is not.
    """
    return _check(_NAME, name, "name of a model", "a letter or a digit first")


def check_alias(alias: str) -> str:
    """Give an alias back if it is one.

    Raises:
        StoreError: it is not.
    """
    return _check(_ALIAS, alias, "alias", "a letter first (so that no alias looks like a version)")


def check_device(device: str) -> str:
    """Give a device's name back if it is one.

    Raises:
        StoreError: it is not.
    """
    return _check(_NAME, device, "name of a device", "a letter or a digit first")


def _check(pattern: re.Pattern[str], text: str, what: str, first: str) -> str:
    if not pattern.fullmatch(text):
        raise StoreError(
            f"{text!r} is no {what}; allowed are lower case letters, digits, '.', '_' and '-', "
            f"{first}, at most 100 of them"
        )
    return text


def parse_reference(text: str) -> Reference:
    """Read `digits`, `digits@production` or `digits@3`.

    Raises:
        StoreError: it is none of these.
    """
    name, at, selector = text.partition("@")
    check_name(name)
    if not at:
        return Reference(name)
    if _NUMBER.fullmatch(selector):
        return Reference(name, int(selector))
    return Reference(name, check_alias(selector))


def blob_key(sha256: str) -> str:
    """Key of the content with this hash."""
    return f"{BLOBS}{sha256}"


def versions_prefix(name: str) -> str:
    """What the keys of all versions of a model begin with."""
    return f"{MODELS}{name}/versions/"


def version_key(name: str, number: int) -> str:
    """Key of a version's manifest."""
    return f"{versions_prefix(name)}{number}.json"


def alias_key(name: str, alias: str) -> str:
    """Key of an alias."""
    return f"{MODELS}{name}/aliases/{alias}.json"


def rotation_key(identity: str) -> str:
    """Key of the record that names the successor of a signing key."""
    return f"{KEYS}{identity}.json"


def telemetry_key(name: str, device: str, batch: str) -> str:
    """Key of a batch of telemetry."""
    return f"{TELEMETRY}{name}/{device}/{batch}"


def parse_key(key: str) -> Reference | None:
    """The version or the alias that a key stands for; null where it is no such record's."""
    if match := _VERSION_KEY.fullmatch(key):
        return Reference(match[1], int(match[2]))
    match = _ALIAS_KEY.fullmatch(key)
    return Reference(*match.groups()) if match else None


def problem_of_paths(paths: Iterable[str]) -> str | None:
    """Say what is wrong with the paths of a version's files; null where nothing is.

    Two that differ in case or in Unicode form only are the same file on some systems, and a file
    cannot be a folder of another.
    """
    seen: dict[str, str] = {}
    for path in paths:
        if problem := problem_of_path(path):
            return f"it names the file {path!r}, and {problem}"
        folded = _folded(path)
        if folded in seen:
            return f"{seen[folded]!r} and {path!r} are the same file"
        seen[folded] = path
    for folded, path in seen.items():
        for folder in PurePosixPath(folded).parents:
            if outer := seen.get(str(folder)):
                return f"{outer!r} is a file and a folder of {path!r}"
    return None if seen else "it has no file"


def problem_of_path(path: object) -> str | None:
    """Say what is wrong with the path of one file; null where nothing is.

    Allowed is what stays inside its folder and means the same file everywhere: parts joined by
    `/`, without `.` and `..`, backslashes, drive letters, control characters and names that
    Windows keeps for itself.
    """
    if not isinstance(path, str) or not path:
        return "it is no text"
    if path.startswith("/"):
        return "it is absolute"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return f"it has the part {part!r}"
        if _FORBIDDEN & set(part) or not part.isprintable():
            return "it has a backslash, a colon or another character that some systems forbid"
        if part[-1] in " ." or PureWindowsPath(part).is_reserved():
            return f"{part!r} is no file's name on Windows"
        if len(part.encode("utf-8", "surrogatepass")) > _LONGEST_PART:
            return f"a part is longer than {_LONGEST_PART} bytes"
    if _folded(path) == RECEIPT:
        return "that name is kept for what a pull writes"
    return None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
