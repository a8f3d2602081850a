"""Counts a service's answers and brings the counts to the store, without holding any answer up."""

import contextlib
import dataclasses
import logging
import secrets
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from kdtasks.core import JsonObject
from kdtasks.core.errors import StoreConflictError, StoreError
from kdtasks.core.files import PARTIAL, write_whole
from kdtasks.deploy.agent.settings import DeviceSettings
from kdtasks.deploy.agent.worker import Backoff, Worker
from kdtasks.deploy.serve.service import Release, Response
from kdtasks.deploy.store.address import telemetry_key
from kdtasks.deploy.store.objects import Objects
from kdtasks.edge.telemetry import TelemetryCounter

_log = logging.getLogger(__name__)
MOST_BATCHES = 1000


class TelemetrySpool:
    """Batches that wait to be sent, the oldest first; one thread uses it.

    A batch's name is its key in the store, where it is created only if it does not exist: one
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

    def add(self, text: str) -> None:
        """Write a batch down; old ones are dropped where there is no room."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        waiting = self.waiting()
        surplus = waiting[: max(0, len(waiting) + 1 - self._most)]
        for path in surplus:
            path.unlink(missing_ok=True)
        if surplus:
            self.dropped += len(surplus)
            _log.warning("%d old batches of telemetry were dropped: no room", len(surplus))
        write_whole(self._folder / f"{stamp}-{secrets.token_hex(4)}.jsonl", text.encode())

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


class TelemetrySender(Worker):
    """The telemetry of one device.

    Attributes:
        spool: batches that wait to be sent.
        exits: answers by exit since the process began, for as many exits as were seen.
        problem: why the store took nothing the last time; null where it did.
    """

    def __init__(self, objects: Objects, settings: DeviceSettings) -> None:
        """Set where to send it, and where it waits."""
        self._objects, self._settings = objects, settings
        self.spool = TelemetrySpool(settings.state / "spool")
        self._backoff = Backoff(settings.telemetry_interval)
        self._next_send = 0.0
        self._lock = threading.Lock()  # held for a count, or for taking the counts; never longer
        self._counters: dict[Release, TelemetryCounter] = {}
        self._news: JsonObject | None = None
        super().__init__("telemetry", settings.telemetry_interval)
        self.exits: list[int] = []
        self.problem: str | None = None

    def count(self, answer: Response) -> None:
        """Count an answer; called from the threads that give them."""
        with self._lock:
            if answer.release not in self._counters:
                self._counters[answer.release] = TelemetryCounter(answer.release.manifest)
            self._counters[answer.release].add(answer.prediction, answer.milliseconds)
            self.exits += [0] * (answer.release.manifest.segments - len(self.exits))
            self.exits[answer.prediction.exit_index] += 1

    def report_rejected(self, rejected: JsonObject, serving: Release | None) -> None:
        """Say in the next batch that a version was rejected."""
        with self._lock:
            self._news = rejected
            if serving and serving not in self._counters:
                self._counters[serving] = TelemetryCounter(serving.manifest)

    def stop(self) -> None:
        """Write down what was counted, and try once more to send it."""
        super().stop()
        self.write()
        self.send()

    def write(self) -> None:
        """Write what was counted since the last time to the disk, as a batch."""
        with self._lock:
            counters, self._counters = self._counters, {}
            news = self._news
            if counters:
                self._news = None
        lines = [
            dataclasses.replace(
                counter.take(), device=self._settings.device, version=release.number, rejected=news
            ).to_line()
            for release, counter in counters.items()
        ]
        if not lines:
            return
        try:
            self.spool.add("".join(lines))
        except OSError as error:
            self.spool.dropped += 1
            _log.warning("a batch of telemetry was dropped, the disk does not take it: %s", error)

    def send(self) -> bool:
        """Send all that waits on the disk; gives whether the store took it."""
        try:
            self.spool.send(
                self._objects, name=self._settings.reference.name, device=self._settings.device
            )
        except (StoreError, OSError) as error:
            if self.problem is None:
                _log.warning("telemetry waits on the disk: %s", error)
            self.problem = str(error)
            return False
        if self.problem is not None:
            _log.info("telemetry reaches the store again")
        self.problem = None
        return True

    def work(self) -> float:
        """Write at every interval, which bounds what `kill -9` costs; send when it is worth it."""
        self.write()
        if time.monotonic() >= self._next_send:
            if self.send():
                self._backoff.after_success()
            else:
                self._next_send = time.monotonic() + self._backoff.after_failure()
        return self._settings.telemetry_interval
