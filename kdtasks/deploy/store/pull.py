"""Pull a version: find out which it is, fetch what is missing, verify all of it, hand it out."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import IntegrityError, StoreError, StoreUnreachableError
from kdtasks.core.locks import locked
from kdtasks.deploy.store.address import Reference, version_key
from kdtasks.deploy.store.alias import Alias, parse_alias, read_alias
from kdtasks.deploy.store.cache import Cache, Resolution
from kdtasks.deploy.store.checkout import place
from kdtasks.deploy.store.download import check_space, download_files
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.progress import NO_PROGRESS, Progress
from kdtasks.deploy.store.signing import PublicKey
from kdtasks.deploy.store.version import (
    FoundVersion,
    Version,
    fetch_version,
    newest_number,
    parse_version,
)


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
    progress: Progress = NO_PROGRESS

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
                    bundle, downloaded = self._fetch(found, resolution)
                except StoreUnreachableError as error:
                    unreachable = str(error)
            if unreachable:
                found, resolution = self._recall(reference, unreachable)
                bundle, downloaded = self._fetch_from_cache(found, resolution, unreachable), 0
            is_changed = downloaded > 0
            if target is not None:
                target = target.absolute()
                with locked(self.cache.root / "lock-places"):
                    is_changed = place(bundle, found, target)
            self.cache.remember(self.objects.identity, reference, resolution)
        self.cache.prune()
        return Pulled(target or bundle, found.version, downloaded, is_changed, unreachable)

    def _ask(self, reference: Reference) -> tuple[FoundVersion, Resolution]:
        """Ask the store; one request where nothing has changed, none for a number known before."""
        name, selector = reference
        last = self.cache.resolution(self.objects.identity, reference)
        record = None
        if isinstance(selector, str):
            alias, stored = read_alias(self.objects, name, selector, trusted=self.trusted)
            self._check_serial(alias, last)
            number, record = alias.version, stored.data.decode("utf-8")
            found = self._from_cache(name, number, alias.manifest_sha256)
        else:
            number = selector or newest_number(self.objects, name)
            known = last.manifest_sha256 if last and last.number == number else ""
            found = self._from_cache(name, number, known)
        if found is None:
            found = fetch_version(self.objects, name, number, trusted=self.trusted)
        sha256 = hashlib.sha256(found.manifest).hexdigest()
        if isinstance(selector, str) and sha256 != alias.manifest_sha256:
            raise IntegrityError(
                f"{version_key(name, number)} is not the manifest that {reference} was moved to; "
                "it was changed afterwards, promote another version"
            )
        self.cache.keep_manifest(found.manifest)
        return found, Resolution(number=number, manifest_sha256=sha256, alias_record=record)

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

    def _fetch(self, found: FoundVersion, resolution: Resolution) -> tuple[Path, int]:
        """Complete the bundle in the cache; gives it and the bytes that had to be downloaded."""
        version, sha256 = found.version, resolution.manifest_sha256
        bundle = self.cache.bundle(sha256, version)
        if bundle:
            return bundle, 0
        missing = self.cache.missing(version)
        check_space(missing, self.cache.blobs)
        download_files(self.objects, missing, self.cache.blobs, self.progress)
        size = sum(file.size for file in missing)
        return self.cache.build_bundle(sha256, version), size

    def _fetch_from_cache(self, found: FoundVersion, resolution: Resolution, why: str) -> Path:
        version, sha256 = found.version, resolution.manifest_sha256
        bundle = self.cache.bundle(sha256, version)
        if bundle:
            return bundle
        missing = self.cache.missing(version)
        if missing:
            raise StoreUnreachableError(
                f"{why}; the cache has lost {missing[0].path} of {version.name} version "
                f"{version.number}"
            )
        return self.cache.build_bundle(sha256, version)

    def _check_serial(self, alias: Alias, last: Resolution | None) -> None:
        """Refuse to go back to an older state of an alias, which an attacker may have kept."""
        if not self.trusted or last is None or last.alias_record is None:
            return
        try:
            known = parse_alias(
                last.alias_record.encode(),
                name=alias.name,
                alias=alias.alias,
                trusted=self.trusted,
            )
        except StoreError:
            return
        if alias.serial < known.serial:
            raise IntegrityError(
                f"{alias.name}@{alias.alias} was moved {known.serial} times when it was pulled "
                f"last, and {alias.serial} times by now: the store shows an older state; if it was "
                f"restored from a backup, delete the cache {self.cache.root}"
            )
