"""What was pulled before: contents, manifests and bundles, for use without a network.

blobs/<sha256>                           contents of files, read-only
manifests/<sha256>.json                  manifests of versions, as the store gave them
bundles/<sha256 of the manifest>/        a version's files, linked to the contents
references/<store>/<name>@<alias>.json   which version that was when it was last asked for
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdtasks.core.files import PARTIAL, disk_errors, flush_to_disk, write_whole
from kdtasks.core.locks import locked, locked_if_free
from kdtasks.deploy.store.address import Reference
from kdtasks.deploy.store.version import StoredFile, Version

_LOCK = "lock"


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
        try:
            content = json.loads(self._reference(store, reference).read_text(encoding="utf-8"))
            return Resolution(**content)
        except (OSError, ValueError, TypeError):
            return None

    def remember(self, store: str, reference: Reference, found: Resolution) -> None:
        """Write down what a reference was found to be."""
        last = self.resolution(store, reference)
        if last:
            is_same = last.manifest_sha256 == found.manifest_sha256
            previous = last.previous_sha256 if is_same else last.manifest_sha256
            found = dataclasses.replace(found, previous_sha256=previous)
        if found != last:
            content = json.dumps(dataclasses.asdict(found), indent=2)
            write_whole(self._reference(store, reference), content.encode())

    def manifest(self, sha256: str) -> bytes | None:
        """A manifest by its hash; null where it is not here, or damaged."""
        try:
            data = self._manifest(sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def keep_manifest(self, data: bytes) -> str:
        """Write a manifest down; gives its hash."""
        sha256 = hashlib.sha256(data).hexdigest()
        if self.manifest(sha256) is None:
            write_whole(self._manifest(sha256), data)
        return sha256

    def bundle(self, manifest_sha256: str, version: Version) -> Path | None:
        """The folder with a version's files; null where it is not whole. Every file is hashed."""
        folder = self.root / "bundles" / manifest_sha256
        return folder if holds(folder, version) else None

    def missing(self, version: Version) -> list[StoredFile]:
        """Contents that the cache lacks or holds damaged, each once; damaged ones are removed."""
        wanted = {file.sha256: file for file in version.files}
        missing = []
        for file in wanted.values():
            blob = self.blobs / file.sha256
            if not is_intact(blob, file):
                blob.unlink(missing_ok=True)
                missing.append(file)
        return missing

    def build_bundle(self, manifest_sha256: str, version: Version) -> Path:
        """Link a version's contents, all of which are here, into a folder of its own."""
        folder = self.root / "bundles" / manifest_sha256
        partial = folder.with_name(f".{folder.name}{PARTIAL}")
        with locked(self.root / f"{_LOCK}-bundles"):
            if not holds(folder, version):
                for leftover in (folder, partial):
                    shutil.rmtree(leftover, ignore_errors=True)
                for file in version.files:
                    path = partial / file.path
                    path.parent.mkdir(parents=True, exist_ok=True)
                    _link(self.blobs / file.sha256, path)
                for inner in {(partial / file.path).parent for file in version.files}:
                    flush_to_disk(inner)
                partial.rename(folder)
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
            with contextlib.suppress(OSError, ValueError, TypeError):
                found = Resolution(**json.loads(path.read_text(encoding="utf-8")))
                manifests |= {found.manifest_sha256, found.previous_sha256 or ""}
        blobs = set()
        for sha256 in manifests:
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                content: dict[str, Any] = json.loads(self._manifest(sha256).read_bytes())
                blobs |= {file["sha256"] for file in content["files"]}
        for path in (self.root / "bundles").iterdir():
            if path.name not in manifests:
                shutil.rmtree(path, ignore_errors=True)
        for path in (self.root / "manifests").iterdir():
            if path.name.removesuffix(".json") not in manifests:
                path.unlink(missing_ok=True)
        for path in self.blobs.iterdir():
            if path.name not in blobs:
                path.unlink(missing_ok=True)
        for path in self.root.glob(f"references/*/.*{PARTIAL}"):
            path.unlink(missing_ok=True)

    def _manifest(self, sha256: str) -> Path:
        return self.root / "manifests" / f"{sha256}.json"

    def _reference(self, store: str, reference: Reference) -> Path:
        folder = hashlib.sha256(store.encode()).hexdigest()[:16]
        # no alias begins with a dot
        selector = ".newest" if reference.selector is None else reference.selector
        return self.root / "references" / folder / f"{reference.name}@{selector}.json"


def files_in(folder: Path) -> set[str]:
    """Paths of all that is no folder in a folder, with slashes; none where it is not there."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def holds(folder: Path, version: Version, *, besides: frozenset[str] = frozenset()) -> bool:
    """Whether a folder holds a version's files, every one with the right hash, and no others.

    Args:
        besides: other files that are there as well.
    """
    if files_in(folder) != {file.path for file in version.files} | besides:
        return False
    return all(is_intact(folder / file.path, file) for file in version.files)


def is_intact(path: Path, file: StoredFile) -> bool:
    """Whether a path is a file with the right content."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb", buffering=0) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # not every file system knows links
        shutil.copyfile(source, target)
        flush_to_disk(target)
