"""Delete what nobody needs: old versions, contents that no version names, uploads that broke off.

Nothing is locked: publishers and promoters go on meanwhile. Three rules keep what they need.
Whatever is younger than the grace age stays. Contents are looked at once more just before they are
deleted, and publishers date anew what they find old. And aliases are read again after versions
were deleted: a version that an alias names by then is put back, its contents are still there.
"""

import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from kdtasks.errors import StoreConflictError, StoreError
from kdtasks.store.catalogue import Model, fetch_versions, list_models
from kdtasks.store.layout import BLOBS, version_key
from kdtasks.store.objects import Entry, Objects
from kdtasks.store.publish import GRACE
from kdtasks.store.transfers import Transfers
from kdtasks.store.versions import FoundVersion


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
    transfers: Transfers | None = None,
) -> Collected:
    """Delete what nobody needs.

    Arguments:
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
    transfers = transfers or Transfers()
    before = objects.now() - grace
    # contents are listed first: what is published from here on names none of the old ones unless
    # it dates them anew
    blobs = [entry for entry in objects.list(BLOBS) if entry.modified < before]
    models = list_models(objects, transfers)
    doomed = [
        (model.name, number)
        for model in models
        for number, entry in model.versions.items()
        if entry.modified < before and number not in needed_versions(model, keep)
    ]
    manifests = _fetch_all(objects, models, {}, transfers)
    if not is_dry:
        transfers.run(lambda version: objects.delete(version_key(*version)), doomed)
        models = list_models(objects, transfers)
        doomed = _put_back(objects, doomed, models, manifests)
        manifests = _fetch_all(objects, models, manifests, transfers)
    named = {
        file.sha256
        for version, found in manifests.items()
        if version not in doomed
        for file in found.version.files
    }
    unnamed = [blob for blob in blobs if blob.key.removeprefix(BLOBS) not in named]
    leftovers = 0
    if not is_dry:
        unnamed = _delete_blobs(objects, unnamed, before, transfers)
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
    transfers: Transfers,
) -> dict[tuple[str, int], FoundVersion]:
    """Add the manifests that are not known yet."""
    wanted = [(model.name, number) for model in models for number in model.versions]
    unknown = [version for version in wanted if version not in known]
    return known | fetch_versions(objects, unknown, transfers)


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


def _delete_blobs(
    objects: Objects, blobs: Iterable[Entry], before: datetime, transfers: Transfers
) -> list[Entry]:
    """Delete contents that are old still; gives those that were."""
    deleted = []

    def delete(blob: Entry) -> None:
        entry = objects.stat(blob.key)
        if entry is not None and entry.modified < before:
            objects.delete(blob.key)
            deleted.append(blob)

    transfers.run(delete, blobs)
    return deleted
