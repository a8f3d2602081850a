"""What was pulled before: contents, manifests and bundles, for use without a network.

blobs/<sha256>                           contents of files, read-only
manifests/<sha256>.json                  manifests of versions, as the store gave them
bundles/<sha256 of the manifest>/        a version's files, linked to the contents
references/<store>/<name>@<alias>.json   which version that was when it was last asked for
keys/<identity>.json                     the successor of a signing key, as a store gave it
keys/<store>                             dated when that store was last asked for successors
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from kdtasks.core import JsonObject
from kdtasks.core.files import (
    PARTIAL,
    atomic_folder,
    disk_errors,
    flush_to_disk,
    write_whole,
)
from kdtasks.core.locks import locked, locked_if_free
from kdtasks.core.safe_files import regular
from kdtasks.deploy.store.address import Reference, rotation_key
from kdtasks.deploy.store.objects import files_in
from kdtasks.deploy.store.records import FoundVersion, StoredFile, Version
from kdtasks.edge.manifest_form import problems

_LOCK = "lock"
_DAY = 86_400.0  # seconds
_HASH = "^[0-9a-f]{64}$"
_RESOLUTION = {
    "type": "object",
    "required": ["number", "manifest_sha256"],
    "properties": {
        "number": {"type": "integer", "minimum": 1},
        "manifest_sha256": {"type": "string", "pattern": _HASH},
        "alias_record": {"type": ["string", "null"]},
        "previous_sha256": {"type": ["string", "null"], "pattern": _HASH},
    },
}


def default_cache() -> Path:
    """`KDTASKS_CACHE`, or a folder where this system keeps caches."""
    if folder := os.environ.get("KDTASKS_CACHE"):
        return Path(folder).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kdtasks" / "store"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolution:
    """What a reference was found to be.

    Attributes:
        number: of the version.
        manifest_sha256: of its manifest, which the cache has.
        alias_record: the alias as the store gave it; null where none was asked for.
        previous_sha256: of the manifest before; its bundle is kept, somebody may be using it.
    """

    number: int
    manifest_sha256: str
    alias_record: str | None = None
    previous_sha256: str | None = None


class Cache:
    """A folder of what was pulled; several processes may use it at once."""

    def __init__(self, root: Path) -> None:
        """Name the folder; it is created when something is pulled."""
        self.root = root
        self.blobs = root / "blobs"

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep everything in the cache while the block runs; errors of the disk become one line."""
        with disk_errors("writing the cache", self.root):
            for folder in (self.blobs, self.root / "manifests", self.root / "bundles"):
                folder.mkdir(parents=True, exist_ok=True)
            with locked(self.root / _LOCK, shared=True):
                yield

    def resolution(self, store: str, reference: Reference) -> Resolution | None:
        """What a reference was last found to be; null where it never was, or is unreadable."""
        return _read_resolution(self._reference(store, reference))

    def remember(self, store: str, reference: Reference, resolution: Resolution) -> None:
        """Write down what a reference was found to be."""
        last = self.resolution(store, reference)
        if last:
            is_same = last.manifest_sha256 == resolution.manifest_sha256
            previous = last.previous_sha256 if is_same else last.manifest_sha256
            resolution = dataclasses.replace(resolution, previous_sha256=previous)
        if resolution != last:
            content = json.dumps(dataclasses.asdict(resolution), indent=2)
            write_whole(self._reference(store, reference), content.encode())

    def manifest(self, sha256: str) -> bytes | None:
        """A manifest by its hash; null where it is not here, or damaged."""
        try:
            data = regular(self._manifest(sha256)).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def keep_manifest(self, found: FoundVersion) -> None:
        """Write a manifest down."""
        if self.manifest(found.sha256) is None:
            write_whole(self._manifest(found.sha256), found.manifest)

    def rotation(self, identity: str) -> bytes | None:
        """The record of a signing key's successor; null where none was found so far."""
        path = self.root / rotation_key(identity)
        return regular(path).read_bytes() if path.exists() else None

    def keep_rotation(self, identity: str, data: bytes) -> None:
        """Remember the successor of a signing key, for ever."""
        if self.rotation(identity) is None:
            write_whole(self.root / rotation_key(identity), data)

    def is_rotation_due(self, store: str) -> bool:
        """Whether a store was not asked for successors today."""
        path = self._rotation_stamp(store)
        return not path.exists() or abs(time.time() - path.stat().st_mtime) > _DAY

    def note_rotation(self, store: str) -> None:
        """Remember that a store was asked for successors just now."""
        path = self._rotation_stamp(store)
        path.parent.mkdir(exist_ok=True)
        path.touch()

    def bundle(self, found: FoundVersion) -> Path | None:
        """The folder with a version's files; null where it is not whole. Every file is hashed."""
        folder = self._bundle(found)
        return folder if holds(folder, found.version) else None

    def missing(self, version: Version) -> list[StoredFile]:
        """Contents that the cache lacks or holds damaged, each once.

        None is removed: a download replaces it, and another process may have done so just now.
        """
        files = {file.sha256: file for file in version.files}
        return [file for file in files.values() if not is_intact(self._blob(file), file)]

    def build_bundle(self, found: FoundVersion) -> Path:
        """Link a version's contents, all of which are here, into a folder of its own."""
        folder = self._bundle(found)
        with locked(self.root / f"{_LOCK}-bundles"):
            if not holds(folder, found.version):
                with atomic_folder(folder) as partial:
                    for file in found.version.files:
                        path = partial / file.path
                        path.parent.mkdir(parents=True, exist_ok=True)
                        _link(self._blob(file), path)
                flush_to_disk(folder.parent)
        return folder

    def prune(self) -> None:
        """Delete what no reference names any more, unless somebody else is using the cache."""
        if not self.root.is_dir():
            return
        with (
            disk_errors("clearing the cache", self.root),
            locked_if_free(self.root / _LOCK) as lock,
        ):
            if lock is not None:
                self._prune()

    def _prune(self) -> None:
        manifests: set[str] = set()
        for path in self.root.glob("references/*/*.json"):
            if found := _read_resolution(path):
                manifests |= {found.manifest_sha256, found.previous_sha256 or ""}
        blobs = set()
        for sha256 in manifests:
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                content: JsonObject = json.loads(self.manifest(sha256) or b"")
                blobs |= {file["sha256"] for file in content["files"]}
        for path in (self.root / "bundles").iterdir():
            if path.name not in manifests:
                shutil.rmtree(path, ignore_errors=True)
        for path in (
            *(path for path in (self.root / "manifests").iterdir() if path.stem not in manifests),
            *(path for path in self.blobs.iterdir() if path.name not in blobs),
            *self.root.glob(f"references/*/.*{PARTIAL}"),
        ):
            path.unlink(missing_ok=True)

    def _blob(self, file: StoredFile) -> Path:
        return self.blobs / file.sha256

    def _bundle(self, found: FoundVersion) -> Path:
        return self.root / "bundles" / found.sha256

    def _manifest(self, sha256: str) -> Path:
        return self.root / "manifests" / f"{sha256}.json"

    def _rotation_stamp(self, store: str) -> Path:
        return self.root / "keys" / _short(store)

    def _reference(self, store: str, reference: Reference) -> Path:
        # no alias begins with a dot
        selector = ".newest" if reference.selector is None else reference.selector
        return self.root / "references" / _short(store) / f"{reference.name}@{selector}.json"


def _short(store: str) -> str:
    return hashlib.sha256(store.encode()).hexdigest()[:16]


def _read_resolution(path: Path) -> Resolution | None:
    try:
        content = json.loads(regular(path).read_bytes())
        return None if any(problems(content, _RESOLUTION, "")) else Resolution(**content)
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def holds(folder: Path, version: Version, *, extra: frozenset[str] = frozenset()) -> bool:
    """Whether a folder holds a version's files, every one with the right hash, and no others.

    Args:
        extra: other files that are there as well.
    """
    if files_in(folder) != {file.path for file in version.files} | extra:
        return False
    return all(is_intact(folder / file.path, file) for file in version.files)


def is_intact(path: Path, file: StoredFile) -> bool:
    """Whether a path is a file with the right content."""
    with contextlib.suppress(FileNotFoundError):  # another process may be replacing it
        if path.is_symlink() or not path.is_file() or path.stat().st_size != file.size:
            return False
        with path.open("rb", buffering=0) as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
    return False


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # not every file system knows links
        shutil.copyfile(source, target)
