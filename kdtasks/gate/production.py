"""The model in production: the version in the store that an alias stands for."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kdtasks.errors import StoreConflictError, StoreMissingError, StoreUnreachableError
from kdtasks.store.alias import Alias, FoundAlias, read_alias
from kdtasks.store.cache import Cache
from kdtasks.store.catalogue import fetch_versions
from kdtasks.store.keys import PublicKey
from kdtasks.store.layout import alias_key, read_version_key, versions_prefix
from kdtasks.store.names import Reference
from kdtasks.store.objects import Objects
from kdtasks.store.pull import Puller
from kdtasks.store.transfers import Transfers
from kdtasks.store.version import Version


class Production(NamedTuple):
    """What is in production.

    Attributes:
        alias: the state of the alias that was read; whoever replaces it, replaces this state.
        version: what the alias stands for.
        folder: the version's bundle, verified.
        passed_over: versions that were there already when the alias was last moved, to this one.
    """

    alias: FoundAlias
    version: Version
    folder: Path
    passed_over: tuple[Version, ...]


def fetch_production(
    objects: Objects,
    name: str,
    alias: str,
    *,
    cache: Cache,
    trusted: Sequence[PublicKey] = (),
) -> Production | None:
    """Pull the version that an alias stands for; null where there is no such alias yet.

    Arguments:
        trusted: whose signatures count; if empty, unsigned versions are accepted.

    Raises:
        StoreUnreachableError: the store does not answer; what the cache holds may be outdated.
        StoreConflictError: the alias is being moved just now.
        StoreError: all that `pull` raises.
    """
    try:
        found = read_alias(objects, name, alias, trusted=trusted)
    except StoreMissingError:
        return None
    puller = Puller(objects=objects, cache=cache, trusted=trusted)
    pulled = puller.pull(Reference(name, alias))
    if pulled.unreachable:
        raise StoreUnreachableError(pulled.unreachable)
    if pulled.version.number != found.alias.version:
        raise StoreConflictError(
            f"{name}@{alias} was moved from version {found.alias.version} to "
            f"{pulled.version.number} while it was read; try again"
        )
    return Production(found, pulled.version, pulled.folder, _passed_over(objects, found.alias))


def _passed_over(objects: Objects, alias: Alias) -> tuple[Version, ...]:
    """Versions that were there before an alias was moved, by the store's clock or people's own."""
    state = objects.stat(alias_key(alias.name, alias.alias))
    others = {
        found[1]: entry.modified
        for entry in objects.list(versions_prefix(alias.name))
        if (found := read_version_key(entry.key)) and found[1] != alias.version
    }
    versions = fetch_versions(objects, [(alias.name, number) for number in others], Transfers())
    return tuple(
        version
        for version, _ in versions.values()
        if version.created < alias.moved
        # whoever published it may have a clock that is ahead
        or (state is not None and others[version.number] < state.modified)
    )
