"""What a store holds: models, their versions, and what their aliases stand for."""

import contextlib
import dataclasses
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from kdtasks.core.errors import StoreConflictError, StoreError, StoreMissingError, TelemetryError
from kdtasks.deploy.store.address import (
    BLOBS,
    MODELS,
    TELEMETRY,
    check_name,
    read_alias_key,
    read_version_key,
    version_key,
)
from kdtasks.deploy.store.alias import FoundAlias, read_alias
from kdtasks.deploy.store.objects import Entry, Objects
from kdtasks.deploy.store.publish import GRACE
from kdtasks.deploy.store.threads import concurrently
from kdtasks.deploy.store.version import FoundVersion, fetch_version
from kdtasks.edge.telemetry import Telemetry, parse_telemetry


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
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


def list_models(objects: Objects, name: str | None = None) -> list[Model]:
    """Look through a store.

    Args:
        name: only this model; null looks at all.

    Raises:
        StoreMissingError: there is no model of that name.
        IntegrityError: an alias is damaged.
    """
    prefix = f"{MODELS}{check_name(name)}/" if name else MODELS
    versions: dict[str, dict[int, Entry]] = {}
    words: list[tuple[str, str]] = []
    for entry in objects.list(prefix):
        version, alias = read_version_key(entry.key), read_alias_key(entry.key)
        if version:
            versions.setdefault(version[0], {})[version[1]] = entry
        elif alias:
            words.append(alias)
    if name and name not in versions:
        raise StoreMissingError(
            f"the store has no model {name}; `kdtasks models` lists what there is"
        )
    aliases = concurrently(lambda word: read_alias(objects, *word), sorted(words))
    return [
        Model(
            name=model,
            versions=dict(sorted(numbers.items())),
            aliases={one.alias.alias: one for one in aliases if one.alias.name == model},
        )
        for model, numbers in sorted(versions.items())
    ]


def fetch_versions(
    objects: Objects, wanted: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], FoundVersion]:
    """Read manifests, several at once; those that are gone by now are left out.

    Raises:
        IntegrityError: a manifest is damaged.
    """
    found: dict[tuple[str, int], FoundVersion] = {}

    def fetch(version: tuple[str, int]) -> None:
        with contextlib.suppress(StoreMissingError):
            found[version] = fetch_version(objects, *version)

    concurrently(fetch, wanted)
    return found


class Collected(NamedTuple):
    """What was deleted, or would be."""

    versions: list[tuple[str, int]]
    blobs: int
    bytes: int
    leftovers: int  # uploads that broke off


def collect(
    objects: Objects,
    *,
    keep: int,
    grace: timedelta = GRACE,
    is_dry: bool = False,
) -> Collected:
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
        for number, entry in model.versions.items()
        if entry.modified < before and number not in needed_versions(model, keep)
    ]
    manifests = _fetch_all(objects, models, {})
    if not is_dry:
        concurrently(lambda version: objects.delete(version_key(*version)), doomed)
        models = list_models(objects)
        doomed = _put_back(objects, doomed, models, manifests)
        manifests = _fetch_all(objects, models, manifests)
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
    return Collected(doomed, len(unnamed), sum(blob.size for blob in unnamed), leftovers)


def needed_versions(model: Model, keep: int) -> set[int]:
    """The newest versions, and all that an alias stands for or can be rolled back to."""
    needed = set(sorted(model.versions)[-keep:])
    for found in model.aliases.values():
        needed |= {found.alias.version, *found.alias.previous}
    return needed


def _fetch_all(
    objects: Objects,
    models: Iterable[Model],
    known: dict[tuple[str, int], FoundVersion],
) -> dict[tuple[str, int], FoundVersion]:
    """Add the manifests that are not known yet."""
    wanted = [(model.name, number) for model in models for number in model.versions]
    unknown = [version for version in wanted if version not in known]
    return known | fetch_versions(objects, unknown)


def _put_back(
    objects: Objects,
    deleted: Iterable[tuple[str, int]],
    models: Iterable[Model],
    manifests: dict[tuple[str, int], FoundVersion],
) -> list[tuple[str, int]]:
    """Write deleted versions again that an alias was moved to meanwhile; gives the others."""
    named = {
        (model.name, number)
        for model in models
        for found in model.aliases.values()
        for number in (found.alias.version, *found.alias.previous)
    }
    gone = []
    for version in deleted:
        if version in named and version in manifests:
            with contextlib.suppress(StoreConflictError):
                objects.create(version_key(*version), manifests[version].manifest)
        else:
            gone.append(version)
    return gone


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


def fetch_telemetry(objects: Objects, name: str, *, hours: float | None = None) -> list[Telemetry]:
    """Read the telemetry of a model, of all devices, in the order of its keys.

    Args:
        hours: only batches that came in the last so many, by the store's clock; null reads all.

    Raises:
        TelemetryError: there is none, or a batch is damaged.
        StoreError: the store refuses.
    """
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

    def read(entry: Entry) -> list[Telemetry]:
        try:
            return parse_telemetry(objects.read(entry.key).data.decode("utf-8"), entry.key)
        except UnicodeDecodeError as error:
            raise TelemetryError(
                f"{entry.key} is no text ({error}); delete it in the store"
            ) from None

    batches = concurrently(read, sorted(entries, key=lambda entry: entry.key))
    return [summary for batch in batches for summary in batch]
