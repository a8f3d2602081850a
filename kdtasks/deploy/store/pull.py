"""Pull a version: find out which it is, fetch what is missing, verify all of it, hand it out."""

import contextlib
import dataclasses
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import IntegrityError, StoreError, StoreMissingError, StoreUnreachableError
from kdtasks.core.files import flush_to_disk, partial_beside
from kdtasks.core.locks import locked
from kdtasks.deploy.store.address import Reference, blob_key, version_key
from kdtasks.deploy.store.cache import Cache, Resolution, is_intact
from kdtasks.deploy.store.checkout import checkout
from kdtasks.deploy.store.objects import Objects, OnBytes
from kdtasks.deploy.store.progress import NO_PROGRESS, TransferProgress
from kdtasks.deploy.store.records import (
    Alias,
    FoundVersion,
    StoredFile,
    Version,
    fetch_version,
    newest_number,
    parse_alias,
    parse_version,
    read_alias,
)
from kdtasks.deploy.store.signing import PublicKey
from kdtasks.deploy.store.threads import concurrently

_ATTEMPTS = 3
_READ_ONLY = 0o444


class Pulled(NamedTuple):
    """What came of pulling."""

    folder: Path  # a whole, verified bundle
    version: Version
    downloaded: int  # bytes
    is_changed: bool  # false: all of it was there already
    unreachable: str | None  # why the cache had to serve; null where the store has answered


@dataclasses.dataclass(frozen=True, kw_only=True)
class Puller:
    """Pulls from one store into one cache.

    Attributes:
        objects: the store.
        cache: where everything is kept for the next time.
        trusted: whose signatures count; if empty, unsigned versions are accepted.
        progress: where downloads report to.
    """

    objects: Objects
    cache: Cache
    trusted: Sequence[PublicKey] = ()
    progress: TransferProgress = NO_PROGRESS

    def pull(
        self, reference: Reference, *, target: Path | None = None, is_offline: bool = False
    ) -> Pulled:
        """Pull a version.

        Where the store does not answer, what this reference was last found to be is handed out
        from the cache.

        Args:
            target: folder to put it in; null leaves it in the cache, read-only.
            is_offline: do not ask the store at all.

        Raises:
            StoreMissingError: there is no such model, alias or version.
            IntegrityError: something was forged or damaged, or is unsigned where it must not be.
            StoreUnreachableError: the store does not answer and the cache cannot serve.
            StoreError: the store or the disk refuses.
        """
        with self.cache.in_use():
            unreachable = "the cache was asked for" if is_offline else None
            if not is_offline:
                try:
                    found, resolution = self._ask(reference)
                    bundle, downloaded = self._complete(found)
                except StoreUnreachableError as error:
                    unreachable = str(error)
            if unreachable:
                found, resolution = self._recall(reference, unreachable)
                bundle, downloaded = self._complete(found, unreachable)
            is_changed = downloaded > 0
            if target is not None:
                target = target.absolute()
                with locked(self.cache.root / "lock-places"):
                    is_changed = checkout(bundle, found, target)
            self.cache.remember(self.objects.identity, reference, resolution)
        self.cache.prune()
        return Pulled(target or bundle, found.version, downloaded, is_changed, unreachable)

    def _ask(self, reference: Reference) -> tuple[FoundVersion, Resolution]:
        """Ask the store; one request where nothing has changed, none for a number known before."""
        name, selector = reference
        last = self.cache.resolution(self.objects.identity, reference)
        alias = record = None
        if isinstance(selector, str):
            alias, stored = read_alias(self.objects, name, selector, trusted=self.trusted)
            self._check_serial(alias, last)
            if self.trusted:
                check_expiry(alias)
            number, known = alias.version, alias.manifest_sha256
            record = stored.data.decode("utf-8")
        else:
            number = selector or self._newest(name, last)
            known = last.manifest_sha256 if last and last.number == number else ""
        found = self._from_cache(name, number, known)
        if found is None:
            found = fetch_version(self.objects, name, number, trusted=self.trusted)
        if alias and found.sha256 != known:
            raise IntegrityError(
                f"{version_key(name, number)} is not the manifest that {reference} was moved to; "
                "it was changed afterwards, promote another version"
            )
        self.cache.keep_manifest(found)
        return found, Resolution(number=number, manifest_sha256=found.sha256, alias_record=record)

    def _newest(self, name: str, last: Resolution | None) -> int:
        number = newest_number(self.objects, name)
        if last and number < last.number:
            raise StoreMissingError(
                f"the newest version of {name} was {last.number} when it was pulled last, and is "
                f"{number} by now: the store has lost what came after; `kdtasks pull "
                f"{name}@{number}` takes it all the same"
            )
        return number

    def _recall(self, reference: Reference, why: str) -> tuple[FoundVersion, Resolution]:
        """Answer from the cache as the store did last time."""
        name, selector = reference
        last = self.cache.resolution(self.objects.identity, reference)
        if last is None:
            raise StoreUnreachableError(f"{why}; {reference} was not pulled from there before")
        if isinstance(selector, str):
            data = (last.alias_record or "").encode()
            alias = parse_alias(data, name=name, alias=selector, trusted=self.trusted)
            if (alias.version, alias.manifest_sha256) != (last.number, last.manifest_sha256):
                raise IntegrityError(f"the cache's record of {reference} is damaged; pull online")
        found = self._from_cache(name, last.number, last.manifest_sha256)
        if found is None:
            raise StoreUnreachableError(f"{why}; the cache has lost the manifest of {reference}")
        return found, last

    def _from_cache(self, name: str, number: int, sha256: str) -> FoundVersion | None:
        manifest = self.cache.manifest(sha256) if sha256 else None
        if manifest is None:
            return None
        return parse_version(manifest, name=name, number=number, trusted=self.trusted)

    def _complete(self, found: FoundVersion, unreachable: str | None = None) -> tuple[Path, int]:
        """Complete the bundle in the cache; gives it and the bytes that had to be downloaded."""
        if bundle := self.cache.bundle(found):
            return bundle, 0
        version = found.version
        missing = self.cache.missing(version)
        if missing and unreachable:
            lost = f"{missing[0].path} of {version.name} version {version.number}"
            raise StoreUnreachableError(f"{unreachable}; the cache has lost {lost}")
        download_files(self.objects, missing, self.cache.blobs, self.progress)
        return self.cache.build_bundle(found), sum(file.size for file in missing)

    def _check_serial(self, alias: Alias, last: Resolution | None) -> None:
        """Refuse to go back to an older state of an alias, which an attacker may have kept."""
        known = 0
        if self.trusted and last and last.alias_record:
            name, word, data = alias.name, alias.alias, last.alias_record.encode()
            with contextlib.suppress(StoreError):
                known = parse_alias(data, name=name, alias=word, trusted=self.trusted).serial
        if alias.serial < known:
            raise IntegrityError(
                f"{alias.name}@{alias.alias} has serial {alias.serial}, and had {known} when it "
                "was pulled last: the store shows an older state; if it was restored from backup, "
                f"delete the cache {self.cache.root}"
            )


def check_expiry(alias: Alias) -> None:
    """Refuse an alias that a store may have been showing for ever; the clock is this device's.

    Raises:
        IntegrityError: it has expired.
    """
    if alias.expires and alias.expires <= datetime.now(UTC):
        raise IntegrityError(
            f"{alias.name}@{alias.alias} expired at {alias.expires.astimezone(UTC):%Y-%m-%d %H:%M} "
            f"UTC, so the store may be hiding what came after; `kdtasks promote {alias.name} "
            f"{alias.version} --alias {alias.alias} --expires DAYS` renews it, if this device's "
            "clock is right"
        )


def download_files(
    objects: Objects, files: Sequence[StoredFile], folder: Path, progress: TransferProgress
) -> None:
    """Download contents; each appears in `folder` under its hash.

    Raises:
        IntegrityError: the store holds something else under that hash.
        StoreMissingError: the store does not hold it.
        StoreUnreachableError: the network broke off for good; files that are complete stay.
        StoreError: the disk does not hold all of them.
    """
    needed, free = sum(file.size for file in files), shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the disk of {folder} is full: {needed / 1e6:,.1f} MB are needed and "
            f"{free / 1e6:,.1f} MB free; make room, or set KDTASKS_CACHE to a folder elsewhere"
        )
    progress.expect(needed)
    concurrently(lambda file: _download(objects, file, folder / file.sha256, progress), files)


def _up_to(file: StoredFile, key: str, progress: TransferProgress) -> OnBytes:
    """Tell of bytes as they come, and take no more than the file has."""
    received = 0

    def advance(count: int) -> None:
        nonlocal received
        received += count
        if received > file.size:
            raise IntegrityError(
                f"{key} ({file.path}) has more than the {file.size:,} bytes that its manifest "
                "says; delete it in the store and publish the bundle again"
            )
        progress.advance(count)

    return advance


def _download(objects: Objects, file: StoredFile, target: Path, progress: TransferProgress) -> None:
    key = blob_key(file.sha256)
    with partial_beside(target) as partial:
        for _ in range(_ATTEMPTS):
            with partial.open("wb") as stream:
                try:
                    objects.download(key, stream, _up_to(file, key, progress))
                except StoreMissingError:
                    raise StoreMissingError(
                        f"{key} ({file.path}) is not in the store; gc may have deleted this "
                        "version just now, pull again, or publish the bundle again"
                    ) from None
            if partial.stat().st_size == file.size:
                break  # otherwise the answer broke off, unnoticed
        else:
            tries = f"{_ATTEMPTS} times; check the network and pull again"
            raise StoreUnreachableError(f"{key} broke off {tries}")
        if not is_intact(partial, file):
            raise IntegrityError(
                f"{key} ({file.path}) is damaged: its content has another hash; delete it in the "
                "store and publish the bundle again"
            )
        flush_to_disk(partial)
        partial.chmod(_READ_ONLY)
        partial.replace(target)
