"""Publish a folder as the next version of a model.

Contents go first, the manifest last: a publisher that dies leaves contents that nothing names.
"""

import dataclasses
import itertools
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import StoreConflictError, StoreError
from kdtasks.core.files import disk_errors
from kdtasks.deploy.store.address import (
    BLOBS,
    blob_key,
    check_name,
    problem_of_path,
    problem_of_paths,
)
from kdtasks.deploy.store.objects import (
    PART_BYTES,
    Claim,
    Entry,
    Objects,
    Source,
    claimed_source,
    in_background,
    read_source,
)
from kdtasks.deploy.store.signing import SigningKey, signer_of
from kdtasks.deploy.store.transfer import Transfers
from kdtasks.deploy.store.version import (
    HASH,
    FoundVersion,
    StoredFile,
    Version,
    create_version,
    fetch_version,
    list_numbers,
)
from kdtasks.edge.bundle_files import MODEL
from kdtasks.edge.manifest import Manifest

# gc leaves contents alone that are younger than this, since a publisher may be about to name them.
GRACE = timedelta(hours=24)
_ATTEMPTS = 100
_FEW = 10  # contents that are asked for one by one
_LISTED_AS_CHEAPLY = 50  # contents listed in the time that it takes to ask for one


class Published(NamedTuple):
    """What came of publishing."""

    found: FoundVersion
    is_new: bool  # false: the newest version has just these files already
    uploaded: int  # bytes that the store did not have yet


def publish(
    objects: Objects,
    folder: Path,
    *,
    name: str,
    about: Mapping[str, str] | None = None,
    signing_key: SigningKey | None = None,
    transfers: Transfers | None = None,
) -> Published:
    """Publish all files of a folder.

    Arguments:
        name: of the model.
        about: a few words for the manifest, such as `variant`.
        signing_key: signs the manifest.

    Raises:
        StoreError: the folder or the store does not allow it.
        StoreUnreachableError: the network broke off; publishing again goes on from there.
    """
    return publish_files(
        objects,
        read_folder(folder),
        name=name,
        about=about,
        signing_key=signing_key,
        transfers=transfers,
    )


def publish_files(
    objects: Objects,
    sources: Mapping[str, Source],
    *,
    name: str,
    about: Mapping[str, str] | None = None,
    signing_key: SigningKey | None = None,
    transfers: Transfers | None = None,
) -> Published:
    """Publish files that `read_folder` has hashed; all else as for `publish`."""
    check_name(name)
    transfers = transfers or Transfers()
    objects.begin_writing()  # contents need no conditions: they are named after their hashes
    list_now = in_background(lambda: list_numbers(objects, name))
    # of two files that claim to be the same the one whose hash is to be confirmed yet
    contents = {one.sha256: one for one in sorted(sources.values(), key=_is_claimed)}
    uploaded, refreshed = _send_missing(objects, contents, transfers)
    numbers = list_now()
    files = tuple(StoredFile(path, source.size, source.sha256) for path, source in sources.items())
    if numbers:
        newest = fetch_version(objects, name, numbers[-1])
        signer = signing_key.public.identity if signing_key else None
        if newest.version.files == files and signer in (None, signer_of(newest.manifest)):
            return Published(newest, is_new=False, uploaded=uploaded)
    found = _create(
        objects,
        Version(
            name=name,
            number=numbers[-1] + 1 if numbers else 1,
            files=files,
            about=dict(about or {}),
            created=datetime.now(UTC).replace(microsecond=0),
            identity=secrets.token_hex(16),
        ),
        signing_key,
    )
    # what was old when it was found, gc may have deleted before it could see the manifest
    sent = {one: contents[one]._replace(hashing=None) for one in refreshed}
    uploaded += _send_missing(objects, sent, transfers)[0]
    return Published(found, is_new=True, uploaded=uploaded)


def _send_missing(
    objects: Objects, contents: Mapping[str, Source], transfers: Transfers
) -> tuple[int, set[str]]:
    """Upload what the store lacks; gives the bytes sent, and what was there but old.

    Whatever this relies on is younger than half the age at which gc deletes, and stays so until
    the manifest names it: what is older is dated anew, and what takes too long is looked at again.
    """
    sent = 0
    refreshed: set[str] = set()
    while contents:
        started = time.monotonic()
        old, missing = _look(objects, contents.values(), transfers)
        refreshed |= old
        total = sum(source.size for source in missing)
        transfers.progress.expect(sent + total)
        _send(objects, missing, transfers)
        sent += total
        if time.monotonic() - started < GRACE.total_seconds() / 2:
            break
    return sent, refreshed


def _look(
    objects: Objects, sources: Iterable[Source], transfers: Transfers
) -> tuple[set[str], list[Source]]:
    """Find what the store has but was old, and is dated anew now, and what it lacks.

    A content that is not sent, since the store has it, is relied on only once it is confirmed.
    """
    sources = list(sources)
    old: set[str] = set()
    missing: list[Source] = []
    found: list[tuple[Source, Entry]] = []
    listed = _list_blobs(objects, len(sources))

    def look(source: Source) -> None:
        key = blob_key(source.sha256)
        entry = listed.get(key) if listed is not None else objects.stat(key)
        if entry is None or entry.size != source.size:
            missing.append(source)
        else:
            found.append((source, entry))

    def rely(source: Source, entry: Entry, fresh: datetime) -> None:
        with disk_errors("reading the bundle", source.path.parent):
            source.confirmed()
        if entry.modified < fresh:
            old.add(source.sha256)
            try:
                objects.touch(blob_key(source.sha256))
            except StoreError:  # gone, or too large for this server to copy
                missing.append(source)

    transfers.run(look, sources)
    if found:
        fresh = objects.now() - GRACE / 2
        transfers.run(lambda one: rely(*one, fresh), found)
    return old, missing


def _list_blobs(objects: Objects, wanted: int) -> dict[str, Entry] | None:
    """List all contents of the store where that is less work than asking for each wanted one."""
    most = wanted * _LISTED_AS_CHEAPLY
    entries = itertools.islice(objects.list(BLOBS), most + 1) if wanted >= _FEW else ()
    listed = {entry.key: entry for entry in entries}
    return listed if wanted >= _FEW and len(listed) <= most else None


def _send(objects: Objects, sources: Iterable[Source], transfers: Transfers) -> None:
    """Upload large files one by one, each in parts side by side; then small ones side by side."""

    def send(source: Source) -> None:
        with disk_errors("reading the bundle", source.path.parent):
            objects.upload(
                blob_key(source.sha256),
                source,
                on_bytes=transfers.advance,
                run_parts=transfers.run,
            )

    for large in (source for source in sources if source.size > PART_BYTES):
        send(large)
    transfers.run(send, [source for source in sources if source.size <= PART_BYTES])


def _create(objects: Objects, version: Version, signing_key: SigningKey | None) -> FoundVersion:
    """Take the next number that is free; other publishers may be taking numbers, too."""
    for _ in range(_ATTEMPTS):
        try:
            return create_version(objects, version, signing_key)
        except StoreConflictError:
            numbers = list_numbers(objects, version.name)
            number = max(numbers[-1] if numbers else 0, version.number) + 1
            version = dataclasses.replace(version, number=number)
    raise StoreConflictError(
        f"{_ATTEMPTS} numbers for {version.name} were all taken by others meanwhile; publish it "
        "again"
    )


def _is_claimed(source: Source) -> bool:
    return source.hashing is not None


def read_folder(folder: Path, claim: Claim | None = None) -> dict[str, Source]:
    """Hash all files of a folder.

    Links to files count as files, since DVC may link its outputs; links to folders and anything
    else that is no file are refused.

    Arguments:
        claim: of the hash of one file. If that is large, it is still being hashed when this
            returns, so that it can be sent meanwhile.

    Returns: path inside the folder, with slashes, to file; in the order of the paths.

    Raises:
        StoreError: the folder is missing or empty, or holds what cannot be published.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder} is no folder; give the folder of a bundle")
    paths: dict[str, Path] = {}
    sources: dict[str, Source] = {}

    def read(inside: str) -> None:
        path = paths[inside]
        if claim and claim.path == inside and path.stat().st_size > PART_BYTES:
            sources[inside] = claimed_source(path, claim)
        else:
            sources[inside] = read_source(path)

    with disk_errors("reading the bundle", folder):
        for path in sorted(folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                continue
            inside = path.relative_to(folder).as_posix()
            problem = problem_of_path(inside)
            if not path.is_file():
                problem = "it is a link to a folder, or no file; a bundle consists of files"
            if problem:
                raise StoreError(f"{path} cannot be published: {problem}; rename or remove it")
            paths[inside] = path
        Transfers(os.cpu_count() or 1).run(read, paths)
    problem = problem_of_paths(sources) or (None if sources else "it is empty")
    if problem:
        raise StoreError(f"{folder} cannot be published: {problem}")
    return dict(sorted(sources.items()))


def model_claim(manifest: Manifest) -> Claim | None:
    """What a bundle's manifest says of its model's content; null if that is no SHA-256."""
    is_hash = isinstance(manifest.sha256, str) and HASH.fullmatch(manifest.sha256)
    return Claim(MODEL, manifest.sha256, "manifest.json") if is_hash else None
