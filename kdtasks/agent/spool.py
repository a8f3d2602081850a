"""Telemetry on the disk until the store has it: a bounded queue of files, each whole."""

import contextlib
import secrets
from datetime import UTC, datetime
from pathlib import Path

from kdtasks.errors import StoreConflictError
from kdtasks.store.disk import PARTIAL, write_whole
from kdtasks.store.layout import telemetry_key
from kdtasks.store.objects import Objects

MOST_BATCHES = 1000


class Spool:
    """Batches that wait to be sent, the oldest first; one thread uses it.

    A batch's name is its key in the store, where it is created only if it is not there yet: one
    whose answer was lost is sent again and counted once.

    Attributes:
        sent, dropped: batches since the process began.
    """

    def __init__(self, folder: Path, *, most: int = MOST_BATCHES) -> None:
        """Name the folder; it is created, and what a killed process left half-written removed."""
        self._folder = folder
        self._most = most
        self.sent = self.dropped = 0
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(f".*{PARTIAL}"):
            path.unlink(missing_ok=True)

    def waiting(self) -> list[Path]:
        """Give the batches, the oldest first."""
        return sorted(self._folder.glob("*.jsonl"))

    def add(self, text: str) -> int:
        """Write a batch down; gives how many old ones had to be dropped to make room."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        waiting = self.waiting()
        surplus = waiting[: max(0, len(waiting) + 1 - self._most)]
        for path in surplus:
            path.unlink(missing_ok=True)
        self.dropped += len(surplus)
        write_whole(self._folder / f"{stamp}-{secrets.token_hex(4)}.jsonl", text.encode())
        return len(surplus)

    def send(self, objects: Objects, *, name: str, device: str) -> int:
        """Send all batches; gives their number.

        Raises:
            StoreError: the store does not take one; it and the later ones stay.
        """
        waiting = self.waiting()
        for path in waiting:
            with contextlib.suppress(StoreConflictError):  # it is there, only the answer was lost
                objects.create(telemetry_key(name, device, path.name), path.read_bytes())
            path.unlink(missing_ok=True)
            self.sent += 1
        return len(waiting)
