"""A version of a model: which files it has, and which contents they have."""

import dataclasses
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kdtasks.core.errors import IntegrityError, StoreConflictError, StoreMissingError
from kdtasks.deploy.store.address import (
    problem_of_path,
    problem_of_paths,
    read_version_key,
    version_key,
    versions_prefix,
)
from kdtasks.deploy.store.objects import Objects, is_there
from kdtasks.deploy.store.signing import PublicKey, SigningKey, seal, unseal

KIND = "version"
HASH = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """A file of a version."""

    path: str  # relative, with slashes
    size: int  # bytes
    sha256: str  # hex


@dataclasses.dataclass(frozen=True, kw_only=True)
class Version:
    """A version's manifest.

    Attributes:
        name: of the model.
        number: 1, 2, 3 …
        files: in the order of their paths.
        about: what its bundle says of itself: `variant` and so on.
        created: by the publisher's clock.
        identity: random; no two versions share it, even if all else is equal.
    """

    name: str
    number: int
    files: tuple[StoredFile, ...]
    about: dict[str, str]
    created: datetime
    identity: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def to_record(self) -> dict[str, Any]:
        """Give the content of its manifest."""
        return {
            "name": self.name,
            "version": self.number,
            "files": [dataclasses.asdict(file) for file in self.files],
            "about": self.about,
            "created": self.created.isoformat(timespec="seconds"),
            "id": self.identity,
        }


def read_version(record: dict[str, Any], *, name: str, number: int, key: str) -> Version:
    """Read a manifest, and trust nothing in it.

    Args:
        record: from `unseal`.
        name, number: what the manifest was asked for.
        key: where it was found, for errors.

    Raises:
        IntegrityError: it is another version's, or a file's path, size or hash is not allowed.
    """
    if (record.get("name"), record.get("version")) != (name, number):
        raise IntegrityError(
            f"{key} is damaged: it describes version {record.get('version')!r} of "
            f"{record.get('name')!r}"
        )
    try:
        files = tuple(
            StoredFile(file["path"], file["size"], file["sha256"]) for file in record["files"]
        )
        about = {_printable(word): _printable(text) for word, text in record["about"].items()}
        created = datetime.fromisoformat(record["created"])
        identity = str(record["id"])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise IntegrityError(f"{key} is damaged: {error!r}") from None
    for file in files:
        problem = problem_of_path(file.path)
        if problem:
            raise IntegrityError(
                f"{key} is refused: it names the file {file.path!r}, and {problem}"
            )
        if not isinstance(file.size, int) or isinstance(file.size, bool) or file.size < 0:
            raise IntegrityError(f"{key} is refused: {file.path!r} has the size {file.size!r}")
        if not isinstance(file.sha256, str) or not HASH.fullmatch(file.sha256):
            raise IntegrityError(f"{key} is refused: {file.path!r} has the hash {file.sha256!r}")
    problem = problem_of_paths(file.path for file in files) or (None if files else "it has no file")
    if problem:
        raise IntegrityError(f"{key} is refused: {problem}")
    return Version(
        name=name,
        number=number,
        files=files,
        about=about,
        created=created,
        identity=identity,
    )


def _printable(text: object) -> str:
    """Text that is safe to print on a terminal."""
    return "".join(letter for letter in str(text) if letter.isprintable())[:100]


class FoundVersion(NamedTuple):
    """A version, and its manifest as the store has it."""

    version: Version
    manifest: bytes


def list_numbers(objects: Objects, name: str) -> list[int]:
    """Numbers of all versions of a model, the lowest first; one request a thousand."""
    keys = (read_version_key(entry.key) for entry in objects.list(versions_prefix(name)))
    return sorted(found[1] for found in keys if found)


def newest_number(objects: Objects, name: str) -> int:
    """Number of the newest version.

    Raises:
        StoreMissingError: the store has no such model.
    """
    numbers = list_numbers(objects, name)
    if not numbers:
        raise StoreMissingError(
            f"the store has no model {name}; `kdtasks models` lists what there is"
        )
    return numbers[-1]


def fetch_version(
    objects: Objects, name: str, number: int, *, trusted: Sequence[PublicKey] = ()
) -> FoundVersion:
    """Read a version's manifest.

    Raises:
        StoreMissingError: there is no such version.
        IntegrityError: it is damaged, or not signed by one of `trusted`.
    """
    key = version_key(name, number)
    try:
        manifest = objects.read(key).data
    except StoreMissingError:
        raise StoreMissingError(
            f"the store has no version {number} of {name} (any more); `kdtasks models` lists "
            f"models, `kdtasks models {name}` the versions of this one"
        ) from None
    return parse_version(manifest, name=name, number=number, trusted=trusted)


def parse_version(
    manifest: bytes, *, name: str, number: int, trusted: Sequence[PublicKey]
) -> FoundVersion:
    """Read a manifest.

    Raises:
        IntegrityError: it is damaged, another version's, or not signed by one of `trusted`.
    """
    key = version_key(name, number)
    record = unseal(manifest, key=key, kind=KIND, trusted=trusted)
    return FoundVersion(read_version(record, name=name, number=number, key=key), manifest)


def create_version(
    objects: Objects, version: Version, signing_key: SigningKey | None
) -> FoundVersion:
    """Write a version's manifest; from then on the version is there.

    Raises:
        StoreConflictError: that number is taken.
    """
    manifest = seal(KIND, version.to_record(), signing_key)
    key = version_key(version.name, version.number)
    try:
        objects.create(key, manifest)
    except StoreConflictError:
        # an answer may have been lost and the request sent again: then it is there
        if not is_there(objects, key, manifest):
            raise
    return FoundVersion(version, manifest)
