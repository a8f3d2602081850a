"""What a store records: versions, which files each has, and aliases, which version each names."""

import dataclasses
import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from kdtasks.core import JsonObject
from kdtasks.core.errors import IntegrityError, StoreMissingError
from kdtasks.deploy.store.address import (
    Reference,
    alias_key,
    parse_key,
    problem_of_paths,
    version_key,
    versions_prefix,
)
from kdtasks.deploy.store.objects import Objects, StoredRecord, write_record
from kdtasks.deploy.store.signing import (
    PublicKey,
    SigningKey,
    damage_errors,
    sign_record,
    verify_record,
)

VERSION, ALIAS = "version", "alias"
HISTORY = 10  # earlier versions that an alias remembers, and that gc keeps for it
HASH = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """A file of a version; raises ValueError for what no file can have."""

    path: str  # relative, with slashes
    size: int  # bytes
    sha256: str  # hex

    def __post_init__(self) -> None:
        if type(self.size) is not int or self.size < 0:
            raise ValueError(f"{self.path!r} has the size {self.size!r}")
        if not isinstance(self.sha256, str) or not HASH.fullmatch(self.sha256):
            raise ValueError(f"{self.path!r} has the hash {self.sha256!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Version:
    """A version's manifest; raises ValueError for files that exclude each other.

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

    def __post_init__(self) -> None:
        if problem := problem_of_paths(file.path for file in self.files):
            raise ValueError(problem)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def to_record(self) -> JsonObject:
        """Give the content of its manifest."""
        record = dataclasses.asdict(self)
        record["version"], record["id"] = record.pop("number"), record.pop("identity")
        return record


class FoundVersion(NamedTuple):
    """A version, and its manifest as the store has it."""

    version: Version
    manifest: bytes

    @property
    def sha256(self) -> str:
        """The hash of the manifest, hex."""
        return hashlib.sha256(self.manifest).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Alias:
    """What an alias stands for; raises ValueError for numbers that are none.

    Attributes:
        name: of the model.
        alias: the word.
        version: the version's number.
        manifest_sha256: hash of that version's manifest, so that no other can take its place.
        serial: of the first state the seconds since 1970, one more with every move; devices that
            hold a key go back to no lower one.
        previous: versions that it stood for before, the last one first.
        moved: when, by the clock of who moved it.
        expires: from when on a device that holds a key takes it no more from a store; null: never.
    """

    name: str
    alias: str
    version: int
    manifest_sha256: str
    serial: int
    previous: tuple[int, ...]
    moved: datetime
    expires: datetime | None = None

    def __post_init__(self) -> None:
        for number in (self.version, self.serial, *self.previous):
            if type(number) is not int or number < 1:
                raise ValueError(f"{number!r} is no version and no serial")
        for moment in (self.moved, self.expires):
            if moment and moment.tzinfo is None:
                raise ValueError(f"{moment} has no time zone")


class FoundAlias(NamedTuple):
    """An alias, and what the store needs to replace just this state of it."""

    alias: Alias
    record: StoredRecord


def list_numbers(objects: Objects, name: str) -> list[int]:
    """Numbers of all versions of a model, the lowest first; one request a thousand."""
    keys = (parse_key(entry.key) for entry in objects.list(versions_prefix(name)))
    return sorted(key.selector for key in keys if key and isinstance(key.selector, int))


def newest_number(objects: Objects, name: str) -> int:
    """Number of the newest version.

    Raises:
        StoreMissingError: the store has no such model.
    """
    if numbers := list_numbers(objects, name):
        return numbers[-1]
    raise StoreMissingError(f"the store has no model {name}; `kdtasks models` lists all")


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
            f"the store has no version {number} of {name}; `kdtasks models {name}` lists versions"
        ) from None
    return parse_version(manifest, name=name, number=number, trusted=trusted)


def parse_version(
    manifest: bytes, *, name: str, number: int, trusted: Sequence[PublicKey]
) -> FoundVersion:
    """Read a manifest, and trust nothing in it.

    Raises:
        IntegrityError: it is damaged, another version's, not signed by one of `trusted`, or a
            file's path, size or hash is not allowed.
    """
    record = _verify(manifest, VERSION, version_key(name, number), Reference(name, number), trusted)
    with damage_errors(version_key(name, number)):
        version = Version(
            name=name,
            number=number,
            files=tuple(
                StoredFile(file["path"], file["size"], file["sha256"]) for file in record["files"]
            ),
            about={_printable(word): _printable(text) for word, text in record["about"].items()},
            created=datetime.fromisoformat(record["created"]),
            identity=str(record["id"]),
        )
    return FoundVersion(version, manifest)


def create_version(
    objects: Objects, version: Version, signing_key: SigningKey | None
) -> FoundVersion:
    """Write a version's manifest; from then on the version is there.

    Raises:
        StoreConflictError: that number is taken.
    """
    manifest = sign_record(VERSION, version.to_record(), signing_key)
    write_record(objects, version_key(version.name, version.number), manifest)
    return FoundVersion(version, manifest)


def read_alias(
    objects: Objects, name: str, alias: str, *, trusted: Sequence[PublicKey] = ()
) -> FoundAlias:
    """Read an alias.

    Raises:
        StoreMissingError: the model or the alias was not found.
        IntegrityError: it is damaged, or not signed by one of `trusted`.
    """
    key = alias_key(name, alias)
    try:
        record = objects.read(key)
    except StoreMissingError:
        raise StoreMissingError(
            f"{name} has no alias {alias}; `kdtasks promote` sets one, `kdtasks models` lists them"
        ) from None
    return FoundAlias(parse_alias(record.data, name=name, alias=alias, trusted=trusted), record)


def parse_alias(data: bytes, *, name: str, alias: str, trusted: Sequence[PublicKey]) -> Alias:
    """Read an alias's record.

    Raises:
        IntegrityError: it is damaged, another one's, or not signed by one of `trusted`.
    """
    content = _verify(data, ALIAS, alias_key(name, alias), Reference(name, alias), trusted)
    with damage_errors(alias_key(name, alias)):
        expires = content.get("expires")
        return Alias(
            name=name,
            alias=alias,
            version=content["version"],
            manifest_sha256=str(content["manifest_sha256"]),
            serial=content["serial"],
            previous=tuple(content["previous"]),
            moved=datetime.fromisoformat(content["moved"]),
            expires=None if expires is None else datetime.fromisoformat(expires),
        )


def write_alias(
    objects: Objects, alias: Alias, found: FoundAlias | None, signing_key: SigningKey | None
) -> None:
    """Write an alias, if it still is in the state in which it was found.

    Args:
        found: the state to be replaced; null creates the alias.

    Raises:
        StoreConflictError: somebody else has moved it; nothing was changed.
    """
    content = {**dataclasses.asdict(alias), "id": secrets.token_hex(16)}
    data = sign_record(ALIAS, content, signing_key)
    tag = found.record.tag if found else None
    write_record(objects, alias_key(alias.name, alias.alias), data, tag)


def _verify(
    data: bytes, kind: str, key: str, expected: Reference, trusted: Sequence[PublicKey]
) -> JsonObject:
    record = verify_record(data, key=key, kind=kind, trusted=trusted)
    actual = (record.get("name"), record.get(kind))
    if actual != expected:
        raise IntegrityError(f"{key} is damaged: it is {kind} {actual[1]!r} of {actual[0]!r}")
    return record


def _printable(text: object) -> str:
    """Text that is safe to print on a terminal."""
    return "".join(letter for letter in str(text) if letter.isprintable())[:100]
