"""What a store holds: models, their versions, and what their aliases stand for."""

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from kdtasks.core.errors import StoreConflictError, StoreError, StoreMissingError, TelemetryError
from kdtasks.deploy.store.address import (
    BLOBS,
    MODELS,
    TELEMETRY,
    Reference,
    check_name,
    parse_key,
    version_key,
)
from kdtasks.deploy.store.objects import Entry, Objects
from kdtasks.deploy.store.publish import GRACE
from kdtasks.deploy.store.records import FoundAlias, FoundVersion, fetch_version, read_alias
from kdtasks.deploy.store.threads import concurrently

if TYPE_CHECKING:
    from kdtasks.edge.telemetry import Telemetry


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model of a store.

    Attributes:
        name: of the model.
        versions: when each was published, by the store's clock; the lowest number first.
        aliases: in the order of their names.
    """

    name: str
    versions: dict[int, Entry]
    aliases: dict[str, FoundAlias]

    def aliases_of(self, number: int) -> list[str]:
        """Aliases that stand for a version."""
        return [word for word, found in self.aliases.items() if found.alias.version == number]

    def named(self) -> set[int]:
        """Versions that an alias stands for or can be rolled back to."""
        aliases = [found.alias for found in self.aliases.values()]
        return {number for alias in aliases for number in (alias.version, *alias.previous)}


def list_models(objects: Objects, name: str | None = None) -> list[ModelEntry]:
    """Look through a store.

    Args:
        name: only this model; null looks at all.

    Raises:
        StoreMissingError: there is no model of that name.
        IntegrityError: an alias is damaged.
    """
    prefix = f"{MODELS}{check_name(name)}/" if name else MODELS
    versions: dict[str, dict[int, Entry]] = {}
    aliases: list[tuple[str, str]] = []
    for entry in objects.list(prefix):
        match parse_key(entry.key):
            case Reference(model, int(number)):
                versions.setdefault(model, {})[number] = entry
            case Reference(model, str(word)):
                aliases.append((model, word))
    if name and name not in versions:
        raise StoreMissingError(f"the store has no model {name}; `kdtasks models` lists all")
    states = concurrently(lambda alias: read_alias(objects, *alias), sorted(aliases))
    return [
        ModelEntry(
            name=model,
            versions=dict(sorted(numbers.items())),
            aliases={state.alias.alias: state for state in states if state.alias.name == model},
        )
        for model, numbers in sorted(versions.items())
    ]


def fetch_versions(
    objects: Objects,
    models: Iterable[ModelEntry],
    known: Mapping[tuple[str, int], FoundVersion] = MappingProxyType({}),
) -> dict[tuple[str, int], FoundVersion]:
    """Read the manifests of models, several at once; those that are gone by now are skipped.

    Args:
        known: some that need not be read; the result holds all of them.

    Raises:
        IntegrityError: a manifest is damaged.
    """
    versions = dict(known)

    def fetch(version: tuple[str, int]) -> None:
        with contextlib.suppress(StoreMissingError):
            versions[version] = fetch_version(objects, *version)

    all_versions = [(model.name, number) for model in models for number in model.versions]
    concurrently(fetch, [version for version in all_versions if version not in known])
    return versions


class CollectResult(NamedTuple):
    """What was deleted, or would be."""

    versions: list[tuple[str, int]]
    blobs: int
    bytes: int
    leftovers: int  # uploads that broke off


def collect(
    objects: Objects, *, keep: int, grace: timedelta = GRACE, is_dry: bool = False
) -> CollectResult:
    """Delete what nobody needs.

    Args:
        keep: newest versions of each model that stay in any case, at least 1; what an alias
            stands for or stood for before stays as well.
        grace: what is younger stays.
        is_dry: delete nothing.

    Raises:
        StoreError: the store refuses.
        IntegrityError: a manifest or an alias is damaged, so what it needs is not known.
    """
    if keep < 1:
        raise StoreError(f"keep is {keep}; at least the newest version has to stay, give 1 or more")
    before = objects.now() - grace
    # contents are listed first: what is published from here on names none of the old ones unless
    # it dates them anew
    blobs = [entry for entry in objects.list(BLOBS) if entry.modified < before]
    models = list_models(objects)
    doomed = [
        (model.name, number)
        for model in models
        for number in sorted(model.versions)[:-keep]
        if model.versions[number].modified < before and number not in model.named()
    ]
    manifests = fetch_versions(objects, models)
    if not is_dry:
        concurrently(lambda version: objects.delete(version_key(*version)), doomed)
        models = list_models(objects)
        doomed = _put_back(objects, doomed, models, manifests)
        manifests = fetch_versions(objects, models, manifests)
    named = {
        file.sha256
        for version, found in manifests.items()
        if version not in doomed
        for file in found.version.files
    }
    unnamed = [blob for blob in blobs if blob.key.removeprefix(BLOBS) not in named]
    leftovers = 0
    if not is_dry:
        unnamed = _delete_blobs(objects, unnamed, before)
        leftovers = objects.remove_leftovers(before)
    return CollectResult(doomed, len(unnamed), sum(blob.size for blob in unnamed), leftovers)


def _put_back(
    objects: Objects,
    deleted: Iterable[tuple[str, int]],
    models: Iterable[ModelEntry],
    manifests: Mapping[tuple[str, int], FoundVersion],
) -> list[tuple[str, int]]:
    """Write deleted versions again that an alias was moved to meanwhile; gives the others."""
    named = {(model.name, number) for model in models for number in model.named()}
    others = []
    for version in deleted:
        if version in named and version in manifests:
            with contextlib.suppress(StoreConflictError):
                objects.create(version_key(*version), manifests[version].manifest)
        else:
            others.append(version)
    return others


def _delete_blobs(objects: Objects, blobs: Iterable[Entry], before: datetime) -> list[Entry]:
    """Delete contents that are old still; gives those that were."""
    deleted = []

    def delete(blob: Entry) -> None:
        entry = objects.stat(blob.key)
        if entry is not None and entry.modified < before:
            objects.delete(blob.key)
            deleted.append(blob)

    concurrently(delete, blobs)
    return deleted


def fetch_telemetry(
    objects: Objects, name: str, *, hours: float | None = None
) -> "list[Telemetry]":
    """Read the telemetry of a model, of all devices, in the order of its keys.

    Args:
        hours: only batches that came in the last so many, by the store's clock; null reads all.

    Raises:
        TelemetryError: there is none, or a batch is damaged.
        StoreError: the store refuses.
    """
    from kdtasks.edge.telemetry import parse_telemetry  # imports NumPy

    entries = list(objects.list(f"{TELEMETRY}{check_name(name)}/"))
    if hours is not None:
        since = objects.now() - timedelta(hours=hours)
        entries = [entry for entry in entries if entry.modified >= since]
    if not entries:
        within = "" if hours is None else f" of the last {hours:g} hours"
        raise TelemetryError(
            f"{objects.identity} holds no telemetry of {name}{within}; give files of telemetry, "
            "or let `kdtasks agent` send some"
        )

    def read(entry: Entry) -> "list[Telemetry]":
        try:
            return parse_telemetry(objects.read(entry.key).data.decode("utf-8"), entry.key)
        except UnicodeDecodeError as error:
            raise TelemetryError(f"{entry.key} is no text ({error}); delete it") from None

    batches = concurrently(read, sorted(entries, key=lambda entry: entry.key))
    return [summary for batch in batches for summary in batch]
