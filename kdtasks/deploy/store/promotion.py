"""Move aliases: forward by publishing, anywhere by promoting, back by rolling back."""

import contextlib
import dataclasses
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from kdtasks.core.errors import StoreConflictError, StoreError, StoreMissingError
from kdtasks.deploy.store.address import check_alias, check_name
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.records import (
    HISTORY,
    Alias,
    FoundAlias,
    FoundVersion,
    fetch_version,
    parse_version,
    read_alias,
    write_alias,
)
from kdtasks.deploy.store.signing import PublicKey, SigningKey, signer_of

_ATTEMPTS = 50


def first_serial() -> int:
    """Seconds since 1970: higher than any of an alias of that name that was deleted before."""
    return int(time.time())


class AliasChange(NamedTuple):
    """Where an alias was and is."""

    alias: Alias
    before: int | None  # null: there was no such alias
    lacks_signature: bool = False  # the version is signed, and the alias is not


@dataclasses.dataclass(frozen=True)
class AliasMover:
    """Moves one alias of one model; the alias or the version may not be there yet.

    Attributes:
        objects: the store.
        name: of the model.
        alias: the word.
        signing_key: signs the alias; then the version must be signed, too. Without it an alias
            that is signed is not moved, and one that is not stays refused by devices with a key.
        trusted: whose signature a version must have; the signing key's own counts always.
        lifetime: after which devices take the alias no more from a store, 0 for never; null is
            that of the alias as it was, from now on.

    Raises:
        StoreError: the name or the alias is none, or it would expire unsigned.
    """

    objects: Objects
    name: str
    alias: str
    signing_key: SigningKey | None = None
    trusted: Sequence[PublicKey] = ()
    lifetime: timedelta | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        check_alias(self.alias)
        if self.lifetime and not self.signing_key:
            raise StoreError(
                f"{self} would expire on a date that nobody has signed; give the key with "
                "--signing-key or KDTASKS_SIGNING_KEY"
            )

    def __str__(self) -> str:
        return f"{self.name}@{self.alias}"

    def current(self) -> FoundAlias | None:
        """Read the alias to move it; null where it does not exist yet.

        Raises:
            StoreError: it is signed, and there is no key to sign it with.
        """
        try:
            return self._checked(read_alias(self.objects, self.name, self.alias))
        except StoreMissingError:
            return None

    def advance(self, found: FoundVersion) -> AliasChange:
        """Make the alias stand for a version that was just published.

        An alias that stands for a later version by now is left there: another publisher was
        quicker.

        Raises:
            StoreError: the alias is signed, and there is no key to sign it with.
            IntegrityError: the version says that it is signed with this key, and is not.
        """
        number = found.version.number
        self._check_signature(found)
        for _ in range(_ATTEMPTS):
            current = self.current()
            last = number if self.lifetime is None else number + 1  # its own is renewed
            if current and current.alias.version >= last:
                return AliasChange(current.alias, current.alias.version)
            with contextlib.suppress(StoreConflictError):
                return self._move(current, found)
            time.sleep(random.uniform(0.0, 0.1))
        raise StoreConflictError(
            f"{self} is being moved all the time by others; version {number} is published, "
            f"`kdtasks promote {self.name} {number} --alias {self.alias}` moves the alias later"
        )

    def promote(self, number: int) -> AliasChange:
        """Make the alias stand for a version.

        Raises:
            StoreMissingError: there is no such version.
            StoreConflictError: somebody else moved the alias at the same time.
            StoreError: the alias is signed, and there is no key to sign it with.
            IntegrityError: the version is not signed, so devices would refuse what the alias names.
        """
        self.objects.check_conditions()
        version = self._fetch(number)
        current = self.current()
        signer = self.signing_key.public.identity if self.signing_key else None
        is_there = current is not None and current.alias.version == number
        renews = self.lifetime is not None
        if current and is_there and signer_of(current.record.data) == signer and not renews:
            return AliasChange(current.alias, number, self._lacks_signature(version))
        return self._move(current, version)

    def supersede(self, found: FoundVersion, expected: FoundAlias | None) -> AliasChange:
        """Make the alias stand for a version, if nobody has moved it since it was read.

        Args:
            found: the version.
            expected: the alias as it was when the version was assessed; null if there was none.

        Raises:
            StoreConflictError: somebody has moved it meanwhile; theirs stays.
            StoreError: the alias is signed, and there is no key to sign it with.
            IntegrityError: the version says that it is signed with this key, and is not.
        """
        self._check_signature(found)
        return self._move(expected and self._checked(expected), found)

    def rollback(self) -> AliasChange:
        """Make the alias stand for the version before; again, for the one before that.

        Raises:
            StoreError: no version before is known; and all that `promote` raises.
        """
        self.objects.check_conditions()
        current = self._checked(read_alias(self.objects, self.name, self.alias))
        if not current.alias.previous:
            raise StoreError(
                f"{self} stands for version {current.alias.version}, and nothing is known of one "
                "before it; use `kdtasks promote` to name one"
            )
        target, *earlier = current.alias.previous
        return self._move(current, self._fetch(target), earlier)

    def _move(
        self, current: FoundAlias | None, found: FoundVersion, previous: Sequence[int] | None = None
    ) -> AliasChange:
        number = found.version.number
        if previous is None:
            past = (current.alias.version, *current.alias.previous) if current else ()
            previous = [earlier for earlier in past if earlier != number]
        now = datetime.now(UTC).replace(microsecond=0)
        moved = Alias(
            name=self.name,
            alias=self.alias,
            version=number,
            manifest_sha256=found.sha256,
            serial=current.alias.serial + 1 if current else first_serial(),
            previous=tuple(previous[:HISTORY]),
            moved=now,
            expires=self._expiry(now, current),
        )
        try:
            write_alias(self.objects, moved, current, self.signing_key)
        except StoreConflictError:
            theirs = ""
            with contextlib.suppress(StoreError):
                other = read_alias(self.objects, self.name, self.alias).alias
                theirs = f" to version {other.version}"
            raise StoreConflictError(
                f"{self} was moved{theirs} by somebody else meanwhile and stays there; `kdtasks "
                f"promote {self.name} {number} --alias {self.alias}` moves it to version {number} "
                "if you still want to"
            ) from None
        # gc deletes a version only if no alias names it, and looks at aliases again afterwards;
        # this is the other half, for an alias that was moved just behind its back
        try:
            fetch_version(self.objects, self.name, number)
        except StoreMissingError:
            raise StoreError(
                f"version {number} of {self.name} was deleted by gc while {self.alias} was moved "
                "to it; move it to another version now, nothing can be pulled by it"
            ) from None
        before = current.alias.version if current else None
        return AliasChange(moved, before, self._lacks_signature(found))

    def _expiry(self, now: datetime, current: FoundAlias | None) -> datetime | None:
        lifetime = self.lifetime
        if lifetime is None and current and current.alias.expires and self.signing_key:
            lifetime = current.alias.expires - current.alias.moved
        return now + lifetime if lifetime else None

    def _fetch(self, number: int) -> FoundVersion:
        own = (self.signing_key.public,) if self.signing_key else ()
        return fetch_version(self.objects, self.name, number, trusted=(*self.trusted, *own))

    def _lacks_signature(self, found: FoundVersion) -> bool:
        return self.signing_key is None and signer_of(found.manifest) is not None

    def _check_signature(self, found: FoundVersion) -> None:
        """Refuse a version that publishing found in the store, and whose signature is forged."""
        if self.signing_key:
            number, trusted = found.version.number, (self.signing_key.public,)
            parse_version(found.manifest, name=self.name, number=number, trusted=trusted)

    def _checked(self, current: FoundAlias) -> FoundAlias:
        """Keep anybody from breaking devices that accept signed aliases only."""
        if self.signing_key is None and signer_of(current.record.data):
            raise StoreError(
                f"{self} is signed, and devices may refuse it without a signature; give the key "
                "with --signing-key or KDTASKS_SIGNING_KEY"
            )
        return current
