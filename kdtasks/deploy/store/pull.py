"""Pull a version: find out which it is, fetch what is missing, verify all of it, hand it out."""

import contextlib
import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import (
    IntegrityError,
    StoreError,
    StoreMissingError,
    StoreUnreachableError,
    UnknownSignerError,
)
from kdtasks.core.locks import locked
from kdtasks.deploy.store.address import Reference, version_key
from kdtasks.deploy.store.cache import Cache, Resolution
from kdtasks.deploy.store.checkout import checkout
from kdtasks.deploy.store.download import download_files
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.progress import NO_PROGRESS, TransferProgress
from kdtasks.deploy.store.records import (
    Alias,
    FoundAlias,
    FoundVersion,
    Version,
    fetch_version,
    newest_number,
    parse_alias,
    parse_version,
    read_alias,
)
from kdtasks.deploy.store.rotation import Trust, follow
from kdtasks.deploy.store.signing import PublicKey


class PullResult(NamedTuple):
    """What came of pulling."""

    folder: Path  # a whole, verified bundle
    version: Version
    downloaded: int  # bytes
    is_changed: bool  # false: all of it was there already
    unreachable: str | None  # why the cache had to serve; null where the store has answered
    alias: FoundAlias | None  # verified, as the store has it; null of a number, or from the cache


@dataclasses.dataclass(frozen=True, kw_only=True)
class Puller:
    """Pulls from one store into one cache.

    Attributes:
        objects: the store.
        cache: where everything is kept for the next time.
        trusted: whose signatures count, and those of their successors; if empty, unsigned
            versions are accepted.
        progress: where downloads report to.
    """

    objects: Objects
    cache: Cache
    trusted: Sequence[PublicKey] = ()
    progress: TransferProgress = NO_PROGRESS

    def pull(
        self, reference: Reference, *, target: Path | None = None, is_offline: bool = False
    ) -> PullResult:
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
            alias: FoundAlias | None = None
            unreachable = "only the cache was used" if is_offline else None
            if not is_offline:
                try:
                    found, resolution, alias = self._ask(reference)
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
        return PullResult(
            target or bundle, found.version, downloaded, is_changed, unreachable, alias
        )

    def _trust(self, *, asks: bool = False) -> Trust:
        """Whose signatures count by now.

        Args:
            asks: look for successors in the store.
        """
        if not self.trusted:
            return Trust()
        trust = follow(self.trusted, self.cache, self.objects if asks else None)
        if asks:
            self.cache.note_rotation(self.objects.identity)
        return trust

    def _ask(self, reference: Reference) -> tuple[FoundVersion, Resolution, FoundAlias | None]:
        """Ask the store; one request where nothing has changed, none for a number known before.

        Once a day, and where a signature is of no known key, it is asked for successors as well.
        """
        try:
            due = self.cache.is_rotation_due(self.objects.identity)
            return self._resolve(reference, self._trust(asks=due))
        except UnknownSignerError:
            trust = self._trust(asks=True)
        try:
            return self._resolve(reference, trust)
        except UnknownSignerError as error:
            if error.signer not in [key.identity for key in trust.retired]:
                raise
            raise IntegrityError(
                f"{reference} is signed with the key {error.signer}, which another has succeeded; "
                "promote the alias, or publish the version again, with the new key"
            ) from None

    def _resolve(
        self, reference: Reference, trust: Trust
    ) -> tuple[FoundVersion, Resolution, FoundAlias | None]:
        name, selector = reference
        last = self.cache.resolution(self.objects.identity, reference)
        alias = record = None
        if isinstance(selector, str):
            alias = read_alias(self.objects, name, selector, trusted=trust.live)
            self._check_serial(alias.alias, last, trust)
            if self.trusted:
                check_expiry(alias.alias)
            number, known = alias.alias.version, alias.alias.manifest_sha256
            record = alias.record.data.decode("utf-8")
        else:
            number = selector or self._newest(name, last)
            known = last.manifest_sha256 if last and last.number == number else ""
        signers = trust.all_keys if alias else trust.live  # an alias names it by its hash
        found = self._from_cache(name, number, known, signers)
        if found is None:
            found = fetch_version(self.objects, name, number, trusted=signers)
        if alias and found.sha256 != known:
            raise IntegrityError(
                f"{version_key(name, number)} is not the manifest that {reference} was moved to; "
                "it was changed afterwards, promote another version"
            )
        self.cache.keep_manifest(found)
        resolution = Resolution(number=number, manifest_sha256=found.sha256, alias_record=record)
        return found, resolution, alias

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
        signers = self._trust().all_keys
        if last is None:
            raise StoreUnreachableError(f"{why}; {reference} was not pulled from there before")
        if isinstance(selector, str):
            data = (last.alias_record or "").encode()
            alias = parse_alias(data, name=name, alias=selector, trusted=signers)
            if (alias.version, alias.manifest_sha256) != (last.number, last.manifest_sha256):
                raise IntegrityError(f"the cache's record of {reference} is damaged; pull online")
        found = self._from_cache(name, last.number, last.manifest_sha256, signers)
        if found is None:
            raise StoreUnreachableError(f"{why}; the cache has lost the manifest of {reference}")
        return found, last

    def _from_cache(
        self, name: str, number: int, sha256: str, signers: Sequence[PublicKey]
    ) -> FoundVersion | None:
        manifest = self.cache.manifest(sha256) if sha256 else None
        if manifest is None:
            return None
        return parse_version(manifest, name=name, number=number, trusted=signers)

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

    def _check_serial(self, alias: Alias, last: Resolution | None, trust: Trust) -> None:
        """Refuse to go back to an older state of an alias, which an attacker may have kept."""
        known = 0
        if self.trusted and last and last.alias_record:
            name, word, data = alias.name, alias.alias, last.alias_record.encode()
            with contextlib.suppress(StoreError):
                known = parse_alias(data, name=name, alias=word, trusted=trust.all_keys).serial
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
