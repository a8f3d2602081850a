"""Rotation of keys: a record that the old key has signed names the key that succeeds it."""

import base64
from collections.abc import Sequence
from typing import NamedTuple

from kdtasks.core.errors import (
    IntegrityError,
    StoreConflictError,
    StoreError,
    StoreUnreachableError,
)
from kdtasks.deploy.store.address import rotation_key
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.objects import Objects, write_record
from kdtasks.deploy.store.signing import (
    PublicKey,
    SigningKey,
    damage_errors,
    public_key_of,
    sign_record,
    verify_record,
)

_KIND = "rotation"
LONGEST = 10  # successions that are followed from a key


class Trust(NamedTuple):
    """Whose signatures count.

    Attributes:
        live: keys that sign.
        retired: keys that have been succeeded; what a live key names by its hash may still be
            signed with them.
    """

    live: tuple[PublicKey, ...] = ()
    retired: tuple[PublicKey, ...] = ()

    @property
    def all_keys(self) -> tuple[PublicKey, ...]:
        """Live and retired."""
        return self.live + self.retired


def rotate(objects: Objects, signing_key: SigningKey, successor: PublicKey) -> None:
    """Let a key be succeeded by another, for all who trust it.

    Raises:
        StoreError: it is the same key, or was succeeded by a third.
    """
    old = signing_key.public.identity
    if old == successor.identity:
        raise StoreError(f"the key {old} cannot succeed itself; give another with --to")
    raw = base64.b64encode(successor.key.public_bytes_raw()).decode("ascii")
    data = sign_record(_KIND, {"key": old, "successor": raw}, signing_key)
    try:
        write_record(objects, rotation_key(old), data)
    except StoreConflictError:
        raise StoreConflictError(
            f"the key {old} was succeeded by another before; rotate from that one"
        ) from None


def follow(trusted: Sequence[PublicKey], cache: Cache, objects: Objects | None) -> Trust:
    """Follow successions from the keys that a device was given; what is found is remembered.

    Args:
        cache: remembers successions, so that hiding a record brings no old key back.
        objects: the store to look for new ones in; null asks the cache alone.

    Raises:
        IntegrityError: a record is forged or damaged, or there is no end of successors.
        StoreUnreachableError: the store does not answer.
    """
    live: dict[str, PublicKey] = {}
    retired: dict[str, PublicKey] = {}
    for key in trusted:
        chain = [key]
        while data := cache.rotation(chain[-1].identity) or _fetch(objects, chain[-1]):
            successor = _parse(data, chain[-1])
            if successor.identity in [old.identity for old in chain] or len(chain) > LONGEST:
                raise IntegrityError(
                    f"the key {key.identity} has more than {LONGEST} successors, or they go round "
                    "in a circle; put the newest public key into KDTASKS_PUBLIC_KEY, alone"
                )
            cache.keep_rotation(chain[-1].identity, data)
            chain.append(successor)
        *before, last = chain
        live[last.identity] = last
        retired |= {old.identity: old for old in before}
    return Trust(
        tuple(key for identity, key in live.items() if identity not in retired),
        tuple(retired.values()),
    )


def _fetch(objects: Objects | None, key: PublicKey) -> bytes | None:
    if objects is None:
        return None
    try:
        return objects.read(rotation_key(key.identity)).data
    except StoreUnreachableError:
        raise
    except StoreError:  # missing; S3 says "denied" to who may not list
        return None


def _parse(data: bytes, old: PublicKey) -> PublicKey:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key = rotation_key(old.identity)
    record = verify_record(data, key=key, kind=_KIND, trusted=(old,))
    with damage_errors(key):
        if record["key"] != old.identity:
            raise ValueError(f"it is of the key {record['key']!r}")
        raw = base64.b64decode(record["successor"], validate=True)
        return public_key_of(ed25519.Ed25519PublicKey.from_public_bytes(raw))
