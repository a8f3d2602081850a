"""Put a pulled version into a folder of the user's, all of it at once."""

import ctypes
import json
import os
import shutil
from pathlib import Path

from kdtasks.core.errors import StoreError
from kdtasks.core.files import disk_errors, flush_to_disk
from kdtasks.deploy.store.address import RECEIPT
from kdtasks.deploy.store.cache import holds
from kdtasks.deploy.store.objects import files_in
from kdtasks.deploy.store.records import FoundVersion

# What keeps an empty folder in git: it stays.
_KEEP = ".gitkeep"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def checkout(bundle: Path, found: FoundVersion, target: Path) -> bool:
    """Make `target` a folder with a version's files and its manifest, `.kdtasks-version.json`.

    It is there whole, old or new, at any moment; where the file system cannot exchange two folders
    it is away for the time between two renamings, and comes back with the next pull.

    Args:
        bundle: folder with the version's files.
        target: is replaced if a pull has written it, or if it is empty.

    Returns: whether anything had to be changed.

    Raises:
        StoreError: it holds something that no pull put there, or cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    aside = target.with_name(f".{target.name}.old")
    with disk_errors("writing the bundle", target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if aside.exists() and not target.exists():
            aside.rename(target)  # a pull was killed between two renamings
        for leftover in (partial, aside):
            shutil.rmtree(leftover, ignore_errors=True)
        receipt = target / RECEIPT
        is_same = receipt.is_file() and receipt.read_bytes() == found.manifest
        besides = frozenset({RECEIPT, _KEEP} & files_in(target))
        if is_same and holds(target, found.version, extra=besides):
            return False
        _check_replaceable(target)
        try:
            partial.mkdir()
            for path in sorted(files_in(bundle)):  # one by one: `copytree` hides a full disk
                copy = partial / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(bundle / path, copy)
            (partial / RECEIPT).write_bytes(found.manifest)
            if (target / _KEEP).is_file():
                (partial / _KEEP).touch()
            for written in (partial, *partial.rglob("*")):
                flush_to_disk(written)
            _swap(partial, target, aside)
            flush_to_disk(target.parent)
        finally:
            for leftover in (partial, aside):
                shutil.rmtree(leftover, ignore_errors=True)
    return True


def _check_replaceable(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise StoreError(f"{target} is a file; give a folder")
    try:
        record = json.loads((target / RECEIPT).read_bytes())
        known = {RECEIPT, *(file["path"] for file in record["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        known = set()
    foreign = sorted(files_in(target) - known - {_KEEP})
    if foreign:
        raise StoreError(
            f"{target} holds {foreign[0]}, which no pull put there; give another folder or move it"
        )


def _swap(partial: Path, target: Path, aside: Path) -> None:
    if not target.exists():
        partial.rename(target)
    elif not _exchange(partial, target):
        target.rename(aside)
        partial.rename(target)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step (Linux); false where that cannot be done."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    paths = (os.fsencode(one), os.fsencode(other))
    done: int = renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE)
    return done == 0
