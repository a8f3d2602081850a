"""Read and write the manifests of a model's versions."""

from collections.abc import Sequence
from typing import NamedTuple

from kdtasks.errors import StoreConflictError, StoreMissingError
from kdtasks.store.keys import PublicKey, SigningKey
from kdtasks.store.layout import read_version_key, version_key, versions_prefix
from kdtasks.store.objects import Objects, is_there
from kdtasks.store.sealing import seal, unseal
from kdtasks.store.version import KIND, Version, read_version


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
