"""Move aliases: forward by publishing, anywhere by promoting, back by rolling back."""

import contextlib
import random
import time
from collections.abc import Sequence
from typing import NamedTuple

from kdtasks.core.errors import StoreConflictError, StoreError, StoreMissingError
from kdtasks.deploy.store.address import check_alias, check_name
from kdtasks.deploy.store.alias import Alias, FoundAlias, is_signed, read_alias, write_alias
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.signing import PublicKey, SigningKey, signer_of
from kdtasks.deploy.store.version import FoundVersion, fetch_version, parse_version

_ATTEMPTS = 50


class Moved(NamedTuple):
    """Where an alias was and is."""

    alias: Alias
    before: int | None  # null: there was no such alias
    lacks_signature: bool = False  # the version is signed, and the alias is not


def advance(
    objects: Objects,
    found: FoundVersion,
    alias: str,
    *,
    signing_key: SigningKey | None = None,
) -> Moved:
    """Make an alias stand for a version that was just published.

    An alias that stands for a later version by now is left there: another publisher was quicker.

    Raises:
        StoreError: the alias is signed, and there is no key to sign it with.
        IntegrityError: the version says that it is signed with this key, and is not.
    """
    name, number = found.version.name, found.version.number
    check_alias(alias)
    _check_signature(found, signing_key)
    for _ in range(_ATTEMPTS):
        current = find_own_alias(objects, name, alias, signing_key)
        if current and current.alias.version >= number:
            return Moved(current.alias, current.alias.version)
        try:
            return _move(objects, current, found, alias, signing_key)
        except StoreConflictError:
            time.sleep(random.uniform(0.0, 0.1))
    raise StoreConflictError(
        f"{name}@{alias} is being moved all the time by others; version {number} is published, "
        f"`kdtasks promote {name} {number} --alias {alias}` moves the alias later"
    )


def promote(
    objects: Objects,
    name: str,
    number: int,
    alias: str,
    *,
    signing_key: SigningKey | None = None,
    trusted: Sequence[PublicKey] = (),
) -> Moved:
    """Make an alias stand for a version.

    Args:
        signing_key: signs the alias; then the version must be signed, too. Without it an alias
            that is signed is not moved, and one that is not stays refused by devices with a key.
        trusted: whose signature the version must have; the signing key's own counts always.

    Raises:
        StoreMissingError: there is no such version.
        StoreConflictError: somebody else moved the alias at the same time.
        StoreError: the alias is signed, and there is no key to sign it with.
        IntegrityError: the version is not signed, so devices would refuse what the alias names.
    """
    check_name(name)
    check_alias(alias)
    objects.check_conditions()
    own = (signing_key.public,) if signing_key else ()
    found = fetch_version(objects, name, number, trusted=(*trusted, *own))
    current = find_own_alias(objects, name, alias, signing_key)
    if current and current.alias.version == number and is_signed(current) == bool(signing_key):
        return Moved(current.alias, number, _lacks_signature(found, signing_key))
    try:
        return _move(objects, current, found, alias, signing_key)
    except StoreConflictError:
        raise StoreConflictError(
            f"{name}@{alias} was moved by somebody else at the same time; look at `kdtasks models "
            f"{name}` and repeat the command if you still want to"
        ) from None


def supersede(
    objects: Objects,
    found: FoundVersion,
    alias: str,
    *,
    expected: FoundAlias | None,
    signing_key: SigningKey | None = None,
) -> Moved:
    """Make an alias stand for a version, if nobody has moved it since it was read.

    Args:
        found: the version.
        expected: the alias as it was when the version was judged; null if it was not there yet.
        signing_key: signs the alias.

    Raises:
        StoreConflictError: somebody has moved it meanwhile; theirs stays.
        StoreError: the alias is signed, and there is no key to sign it with.
        IntegrityError: the version says that it is signed with this key, and is not.
    """
    name, number = found.version.name, found.version.number
    check_alias(alias)
    _check_signature(found, signing_key)
    if expected:
        _check_key(expected, signing_key)
    try:
        return _move(objects, expected, found, alias, signing_key)
    except StoreConflictError:
        theirs = ""
        with contextlib.suppress(StoreError):
            theirs = f" to version {read_alias(objects, name, alias).alias.version}"
        raise StoreConflictError(
            f"{name}@{alias} was moved{theirs} by somebody else meanwhile and stays there; "
            f"version {number} is published, `kdtasks promote {name} {number} --alias {alias}` "
            "moves it if you still want to"
        ) from None


def rollback(
    objects: Objects,
    name: str,
    alias: str,
    *,
    signing_key: SigningKey | None = None,
    trusted: Sequence[PublicKey] = (),
) -> Moved:
    """Make an alias stand for the version before; again, for the one before that.

    Raises:
        StoreError: no version before is known; and all that `promote` raises.
    """
    check_name(name)
    check_alias(alias)
    objects.check_conditions()
    current = read_alias(objects, name, alias)
    _check_key(current, signing_key)
    if not current.alias.previous:
        raise StoreError(
            f"{name}@{alias} stands for version {current.alias.version}, and nothing is known of "
            "one before it; use `kdtasks promote` to name one"
        )
    target, *earlier = current.alias.previous
    own = (signing_key.public,) if signing_key else ()
    found = fetch_version(objects, name, target, trusted=(*trusted, *own))
    try:
        return _move(objects, current, found, alias, signing_key, previous=earlier)
    except StoreConflictError:
        raise StoreConflictError(
            f"{name}@{alias} was moved by somebody else at the same time, perhaps rolled back "
            f"already; look at `kdtasks models {name}`"
        ) from None


def _move(
    objects: Objects,
    current: FoundAlias | None,
    found: FoundVersion,
    alias: str,
    signing_key: SigningKey | None,
    previous: Sequence[int] | None = None,
) -> Moved:
    before = current.alias.version if current else None
    if previous is None:
        past = (before, *current.alias.previous) if current and before else ()
        previous = tuple(number for number in past if number != found.version.number)
    name, number = found.version.name, found.version.number
    moved = write_alias(
        objects,
        alias,
        found,
        previous=previous,
        found=current,
        signing_key=signing_key,
    )
    # gc deletes a version only if no alias names it, and looks at aliases again afterwards; this
    # is the other half, for an alias that was moved just behind its back
    try:
        fetch_version(objects, name, number)
    except StoreMissingError:
        raise StoreError(
            f"version {number} of {name} was deleted by gc while {alias} was moved to it; move "
            f"{alias} to another version now, nothing can be pulled by it"
        ) from None
    return Moved(moved, before, _lacks_signature(found, signing_key))


def find_own_alias(
    objects: Objects, name: str, alias: str, signing_key: SigningKey | None
) -> FoundAlias | None:
    """Read an alias to move it; null where it is not there yet.

    Raises:
        StoreError: it is signed, and there is no key to sign it with.
    """
    check_alias(alias)
    try:
        current = read_alias(objects, name, alias)
    except StoreMissingError:
        return None
    _check_key(current, signing_key)
    return current


def _lacks_signature(found: FoundVersion, signing_key: SigningKey | None) -> bool:
    return signing_key is None and signer_of(found.manifest) is not None


def _check_signature(found: FoundVersion, signing_key: SigningKey | None) -> None:
    """Refuse a version that publishing found in the store, and whose signature is forged."""
    if signing_key:
        name, number = found.version.name, found.version.number
        parse_version(found.manifest, name=name, number=number, trusted=(signing_key.public,))


def _check_key(current: FoundAlias, signing_key: SigningKey | None) -> None:
    """Keep anybody from breaking devices that accept signed aliases only."""
    if signing_key is None and is_signed(current):
        raise StoreError(
            f"{current.alias.name}@{current.alias.alias} is signed, and devices may refuse it "
            "without a signature; give the key with --signing-key or KDTASKS_SIGNING_KEY"
        )
