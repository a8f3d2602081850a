"""Publish a folder, or a bundle that a device can surely load, as the next version of a model.

Contents go first, the manifest last: a publisher that dies leaves contents that nothing names.
"""

import contextlib
import dataclasses
import itertools
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import BundleError, StoreConflictError, StoreError
from kdtasks.core.files import disk_errors
from kdtasks.core.safe_files import unsafe_below
from kdtasks.deploy.store.address import BLOBS, blob_key, check_name, problem_of_paths
from kdtasks.deploy.store.objects import Entry, LocalFile, Objects, files_in, hash_file
from kdtasks.deploy.store.progress import NO_PROGRESS, TransferProgress
from kdtasks.deploy.store.records import (
    FoundVersion,
    StoredFile,
    Version,
    create_version,
    fetch_version,
    list_numbers,
)
from kdtasks.deploy.store.signing import SigningKey, signer_of
from kdtasks.deploy.store.threads import concurrently
from kdtasks.edge.bundle_files import CARD, MODEL, SBOM, open_bundle_files
from kdtasks.edge.manifest import Manifest

# gc leaves contents alone that are younger than this, since a publisher may be about to name them.
GRACE = timedelta(hours=24)
_ATTEMPTS = 100
_FEW = 10  # contents that are asked for one by one
_LISTED_AS_CHEAPLY = 50  # contents listed in the time that it takes to ask for one


class PublishResult(NamedTuple):
    """What came of publishing."""

    found: FoundVersion
    is_new: bool  # false: the newest version has just these files already
    uploaded: int  # bytes that the store did not have yet


def publish(
    objects: Objects,
    bundle: Path | Mapping[str, LocalFile],
    *,
    name: str,
    about: Mapping[str, str] | None = None,
    signing_key: SigningKey | None = None,
    progress: TransferProgress = NO_PROGRESS,
) -> PublishResult:
    """Publish all files of a folder, unless the newest version is the same bundle.

    Args:
        bundle: the folder, or what `read_folder` gave for it.
        name: of the model.
        about: a few words for the manifest, such as `variant`.
        signing_key: signs the manifest.

    Raises:
        StoreError: the folder or the store does not allow it.
        StoreUnreachableError: the network broke off; publishing again goes on from there.
    """
    check_name(name)
    local = read_folder(bundle) if isinstance(bundle, Path) else bundle
    objects.check_conditions()
    contents = {file.sha256: file for file in local.values()}
    uploaded, refreshed = _send_missing(objects, contents, progress)
    files = stored_files(local)
    last = max(list_numbers(objects, name), default=0)
    if last:
        newest = fetch_version(objects, name, last)
        signer = signing_key.public.identity if signing_key else None
        if is_same_bundle(newest.version, files) and signer in (None, signer_of(newest.manifest)):
            return PublishResult(newest, is_new=False, uploaded=uploaded)
    version = Version(
        name=name,
        number=last + 1,
        files=files,
        about=dict(about or {}),
        created=datetime.now(UTC).replace(microsecond=0),
        identity=secrets.token_hex(16),
    )
    found = _create(objects, version, signing_key)
    # what was old when it was found, gc may have deleted before it could see the manifest
    again = {sha256: contents[sha256] for sha256 in refreshed}
    uploaded += _send_missing(objects, again, progress)[0]
    return PublishResult(found, is_new=True, uploaded=uploaded)


def about_bundle(
    folder: Path, manifest: Manifest, files: Mapping[str, LocalFile]
) -> dict[str, str]:
    """Describe a bundle for `publish`, once it is sure that a device can load it.

    Args:
        manifest: of the bundle in `folder`, with what is known of its origin.
        files: its files, hashed.

    Raises:
        BundleError: the model is missing, or is another one than the manifest's.
    """
    path = folder / MODEL
    if MODEL not in files:
        raise BundleError(f"{path} not found; export the bundle again")
    found = files[MODEL].sha256
    if found != manifest.sha256:
        raise BundleError(
            f"{path} has the SHA-256 {found}, manifest.json says {manifest.sha256}; export it again"
        )
    about = {key: str(getattr(manifest, key)) for key in ("variant", "task", "dataset_sha256")}
    provenance = manifest.provenance or {}
    if revision := provenance.get("git_revision"):
        changes = " with changes" if provenance.get("git_changed") else ""
        about["git_revision"] = f"{revision}{changes}"
    return about


def _send_missing(
    objects: Objects, contents: Mapping[str, LocalFile], progress: TransferProgress
) -> tuple[int, set[str]]:
    """Upload what the store lacks; gives the bytes sent, and what was there but old.

    Whatever this relies on is younger than half the age at which gc deletes, and stays so until
    the manifest names it: what is older is dated anew, and what takes too long is looked at again.
    """
    sent = 0
    refreshed: set[str] = set()
    while contents:
        started = time.monotonic()
        old, missing = _look(objects, list(contents.values()))
        refreshed |= old
        total = sum(file.size for file in missing)
        progress.expect(sent + total)
        concurrently(lambda file: _send(objects, file, progress), missing)
        sent += total
        if time.monotonic() - started < GRACE.total_seconds() / 2:
            break
    return sent, refreshed


def _send(objects: Objects, file: LocalFile, progress: TransferProgress) -> None:
    with disk_errors("reading the bundle", file.path.parent):
        objects.upload(blob_key(file.sha256), file, progress.advance)


def _look(objects: Objects, files: Sequence[LocalFile]) -> tuple[set[str], list[LocalFile]]:
    """Find what the store has but was old, and is dated anew now, and what it lacks."""
    keys = [blob_key(file.sha256) for file in files]
    listed = _list_blobs(objects, len(files))
    stat = objects.stat if listed is None else listed.get
    entries = zip(files, concurrently(stat, keys), strict=True)
    stored = {file: entry for file, entry in entries if entry and entry.size == file.size}
    missing = [file for file in files if file not in stored]
    fresh = objects.now() - GRACE / 2
    old = {file for file, entry in stored.items() if entry.modified < fresh}

    def refresh(file: LocalFile) -> None:
        try:
            objects.touch(blob_key(file.sha256))
        except StoreError:  # gone, or too large for this server to copy
            missing.append(file)

    concurrently(refresh, old)
    return {file.sha256 for file in old}, missing


def _list_blobs(objects: Objects, count: int) -> dict[str, Entry] | None:
    """List all contents of the store where that is less work than asking for each wanted one."""
    if count < _FEW:
        return None
    most = count * _LISTED_AS_CHEAPLY
    listed = {entry.key: entry for entry in itertools.islice(objects.list(BLOBS), most + 1)}
    return listed if len(listed) <= most else None


def _create(objects: Objects, version: Version, signing_key: SigningKey | None) -> FoundVersion:
    """Take the next number that is free; other publishers may be taking numbers, too."""
    for _ in range(_ATTEMPTS):
        try:
            return create_version(objects, version, signing_key)
        except StoreConflictError:
            number = max([version.number, *list_numbers(objects, version.name)]) + 1
            version = dataclasses.replace(version, number=number)
    raise StoreConflictError(
        f"{_ATTEMPTS} numbers for {version.name} were all taken by others meanwhile; publish again"
    )


def is_same_bundle(version: Version, files: Sequence[StoredFile]) -> bool:
    """Whether a version has just these files.

    Model cards, which tell of commits, and bills of materials, which publishing may add, do not
    count.
    """
    return _bundle_files(version.files) == _bundle_files(files)


def _bundle_files(files: Sequence[StoredFile]) -> list[StoredFile]:
    return [file for file in files if file.path not in (CARD, SBOM)]


@contextlib.contextmanager
def with_texts(
    files: Mapping[str, LocalFile], texts: Mapping[str, str]
) -> Iterator[dict[str, LocalFile]]:
    """Yield files to publish with others beside them, such as a model card, for the while.

    Args:
        files: of the bundle.
        texts: name to content of the others.
    """
    with tempfile.TemporaryDirectory(prefix="kdtasks-texts-") as folder:
        found = dict(files)
        for name, text in texts.items():
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8")
            found[name] = hash_file(path)
        yield dict(sorted(found.items()))


def stored_files(local: Mapping[str, LocalFile]) -> tuple[StoredFile, ...]:
    """Describe local files, by their paths in a folder, as a version does."""
    return tuple(StoredFile(path, file.size, file.sha256) for path, file in local.items())


def read_folder(folder: Path) -> dict[str, LocalFile]:
    """Hash all files of a folder.

    Links into DVC's cache count as files, since it may link its outputs; other links and anything
    else that is no file are refused: what a link leads to may be private.

    Returns: path inside the folder, with slashes, to file; in the order of the paths.

    Raises:
        StoreError: the folder is missing or empty, or holds what cannot be published.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder} is no folder; give the folder of a bundle")
    with disk_errors("reading the bundle", folder):
        names = sorted(files_in(folder))
        found = unsafe_below(folder)
        problem = f"it holds {found}" if found else problem_of_paths(names)
        if problem:
            raise StoreError(f"{folder} cannot be published: {problem}; rename or remove it")
        hashed = concurrently(hash_file, [folder / name for name in names])
    return dict(zip(names, hashed, strict=True))


@contextlib.contextmanager
def as_folder(bundle: Path) -> Iterator[Path]:
    """Yield a bundle's folder: its own, or for the while one with the files of a `.kdz`.

    A bare `.tflite` gets the manifest that it has inside as a file.

    Raises:
        BundleError: it is neither, or damaged.
    """
    if not bundle.is_file():
        yield bundle  # whoever reads it says what is missing
        return
    with tempfile.TemporaryDirectory(prefix="kdtasks-bundle-") as folder:
        with open_bundle_files(bundle) as contents:
            for name in contents.names:
                (Path(folder) / name).write_bytes(contents.read(name))
        yield Path(folder)
