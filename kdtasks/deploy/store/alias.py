"""An alias: a word, such as `production`, that stands for one version until it is moved."""

import dataclasses
import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kdtasks.core.errors import IntegrityError, StoreConflictError, StoreMissingError
from kdtasks.deploy.store.address import alias_key
from kdtasks.deploy.store.objects import Objects, Record, is_there
from kdtasks.deploy.store.signing import PublicKey, SigningKey, seal, signer_of, unseal
from kdtasks.deploy.store.version import FoundVersion

KIND = "alias"
HISTORY = 10  # earlier versions that an alias remembers, and that gc keeps for it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Alias:
    """What an alias stands for.

    Attributes:
        name: of the model.
        alias: the word.
        version: the version's number.
        manifest_sha256: hash of that version's manifest, so that no other can take its place.
        serial: 1, 2, 3 … with every move; devices that hold a key go back to no lower one.
        previous: versions that it stood for before, the last one first.
        moved: when, by the clock of who moved it.
    """

    name: str
    alias: str
    version: int
    manifest_sha256: str
    serial: int
    previous: tuple[int, ...]
    moved: datetime


class FoundAlias(NamedTuple):
    """An alias, and what the store needs to replace just this state of it."""

    alias: Alias
    record: Record


def read_alias(
    objects: Objects, name: str, alias: str, *, trusted: Sequence[PublicKey] = ()
) -> FoundAlias:
    """Read an alias.

    Raises:
        StoreMissingError: the model or the alias is not there.
        IntegrityError: it is damaged, or not signed by one of `trusted`.
    """
    key = alias_key(name, alias)
    try:
        record = objects.read(key)
    except StoreMissingError:
        raise StoreMissingError(
            f"{name} has no alias {alias} in this store; `kdtasks models` lists models and their "
            "aliases, `kdtasks promote` sets an alias"
        ) from None
    return FoundAlias(parse_alias(record.data, name=name, alias=alias, trusted=trusted), record)


def parse_alias(data: bytes, *, name: str, alias: str, trusted: Sequence[PublicKey]) -> Alias:
    """Read an alias's record.

    Raises:
        IntegrityError: it is damaged, another one's, or not signed by one of `trusted`.
    """
    key = alias_key(name, alias)
    content = unseal(data, key=key, kind=KIND, trusted=trusted)
    if (content.get("name"), content.get("alias")) != (name, alias):
        raise IntegrityError(
            f"{key} is damaged: it is alias {content.get('alias')!r} of {content.get('name')!r}"
        )
    try:
        found = Alias(
            name=name,
            alias=alias,
            version=content["version"],
            manifest_sha256=str(content["manifest_sha256"]),
            serial=content["serial"],
            previous=tuple(content["previous"]),
            moved=datetime.fromisoformat(content["moved"]),
        )
    except (TypeError, KeyError, ValueError) as error:
        raise IntegrityError(f"{key} is damaged: {error!r}") from None
    for number in (found.version, found.serial, *found.previous):
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise IntegrityError(f"{key} is damaged: {number!r} is no version and no serial")
    return found


def write_alias(
    objects: Objects,
    alias: str,
    target: FoundVersion,
    *,
    previous: Sequence[int],
    found: FoundAlias | None,
    signing_key: SigningKey | None,
) -> Alias:
    """Make an alias stand for a version, if it still is in the state in which it was found.

    Args:
        target: the version that it is to stand for.
        previous: the alias's history from now on.
        found: the state to be replaced; null creates the alias.

    Raises:
        StoreConflictError: somebody else has moved it; nothing was changed.
    """
    moved = Alias(
        name=target.version.name,
        alias=alias,
        version=target.version.number,
        manifest_sha256=hashlib.sha256(target.manifest).hexdigest(),
        serial=found.alias.serial + 1 if found else 1,
        previous=tuple(previous)[:HISTORY],
        moved=datetime.now(UTC).replace(microsecond=0),
    )
    data = seal(KIND, _to_record(moved), signing_key)
    key = alias_key(moved.name, alias)
    try:
        if found:
            objects.replace(key, data, found.record.tag)
        else:
            objects.create(key, data)
    except StoreConflictError:
        # an answer may have been lost and the request sent again: then it is there
        if not is_there(objects, key, data):
            raise
    return moved


def is_signed(found: FoundAlias) -> bool:
    """Whether an alias carries a signature; nobody has verified it yet."""
    return signer_of(found.record.data) is not None


def _to_record(alias: Alias) -> dict[str, Any]:
    content = dataclasses.asdict(alias)
    return {
        **content,
        "previous": list(alias.previous),
        "moved": alias.moved.isoformat(timespec="seconds"),
        "id": secrets.token_hex(16),
    }
