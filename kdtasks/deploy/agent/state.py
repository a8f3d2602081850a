"""What an agent must still know after `kill -9`: releases that work, and what it was trying.

state.json            kept: the releases that passed last; trying: one that is being loaded
releases/<identity>/  the bundle of each that is kept
spool/                telemetry that is not sent yet (kdtasks/deploy/agent/telemetry.py)
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.core import JsonObject
from kdtasks.core.errors import ServingError
from kdtasks.core.files import atomic_folder, disk_errors, flush_to_disk, write_whole
from kdtasks.core.locks import locked_if_free
from kdtasks.core.safe_files import regular

KEPT = 2  # releases: the disk may damage one
ATTEMPTS = 2  # a version that took the process with it so often is not loaded again


class KeptRelease(NamedTuple):
    """A release that has passed its self-test on this device."""

    folder: Path
    identity: str
    number: int


class DeviceState:
    """A folder of one agent."""

    def __init__(self, root: Path) -> None:
        """Name the folder; it is created."""
        self.root = root
        self._releases = root / "releases"
        self._file = root / "state.json"
        self._releases.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other agents away from this folder.

        Raises:
            ServingError: another one has it.
            StoreError: the disk refuses.
        """
        with contextlib.ExitStack() as stack:
            with disk_errors("locking the state", self.root):
                lock = stack.enter_context(locked_if_free(self.root / "lock"))
            if lock is None:
                raise ServingError(
                    f"another agent uses {self.root}; stop it, or give another --state"
                )
            yield

    def kept(self) -> list[KeptRelease]:
        """Give the releases that passed last, the newest first."""
        folders = {folder.name: folder for folder in self._releases.iterdir() if folder.is_dir()}
        entries, found = self._read().get("kept"), []
        for entry in entries if isinstance(entries, list) else ():
            with contextlib.suppress(TypeError, KeyError, ValueError, OverflowError):
                identity, number = entry["identity"], entry["number"]
                found.append(KeptRelease(folders[identity], identity, int(number)))
        return found

    def keep(self, bundle: Path, identity: str, number: int) -> None:
        """Copy a bundle that has passed, whole, and only then forget all but the one before."""
        folder = self._releases / identity
        with atomic_folder(folder) as partial:
            shutil.copytree(bundle, partial, dirs_exist_ok=True)
        flush_to_disk(self._releases)
        before = [kept for kept in self.kept() if kept.identity != identity]
        self._keep([KeptRelease(folder, identity, number), *before][:KEPT], trying=None)

    def forget(self, damaged: KeptRelease) -> None:
        """Delete a release that cannot be served any more."""
        self._keep([kept for kept in self.kept() if kept != damaged])

    def _keep(self, releases: list[KeptRelease], **changes: Any) -> None:
        entries = [{"identity": kept.identity, "number": kept.number} for kept in releases]
        self._write(kept=entries, **changes)
        folders = {kept.folder for kept in releases}
        for other in self._releases.iterdir():
            if other not in folders:
                shutil.rmtree(other, ignore_errors=True)

    def begin(self, identity: str) -> bool:
        """Note that a version is being loaded; false where that has ended the process too often.

        What was kept, and whatever comes while nothing is, may be loaded at any time: there is
        nothing better.
        """
        kept = self.kept()
        if not kept or kept[0].identity == identity:
            return True
        trying = self._read().get("trying")
        attempts = 0
        if isinstance(trying, dict) and trying.get("identity") == identity:
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                attempts = int(trying["attempts"])
        if attempts >= ATTEMPTS:
            return False
        self._write(trying={"identity": identity, "attempts": attempts + 1})
        return True

    def end(self) -> None:
        """Note that the process has survived it."""
        self._write(trying=None)

    def _read(self) -> JsonObject:
        try:
            content = json.loads(regular(self._file).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def _write(self, **changes: Any) -> None:
        content = {**self._read(), **changes}
        write_whole(self._file, json.dumps(content, indent=2, sort_keys=True).encode())
