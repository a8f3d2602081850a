"""Keep a service on the version that an alias stands for: poll, try, swap, or take back."""

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdtasks.core.errors import KdTasksError, StoreError, StoreUnreachableError
from kdtasks.deploy.agent.backoff import Backoff
from kdtasks.deploy.agent.state import State
from kdtasks.deploy.agent.telemetry import Reporter
from kdtasks.deploy.serve.service import Release, Service, load_release
from kdtasks.deploy.store.address import Reference
from kdtasks.deploy.store.pull import Pulled, Puller

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rejected:
    """A version that this device has taken back, and why."""

    identity: str
    number: int
    reason: str


class Agent:
    """Follows an alias on behalf of a service.

    Attributes:
        rejected: the version that the alias stands for, if this device could not take it.
        store_problem: why the store gave nothing the last time; null where it did.
    """

    def __init__(
        self,
        puller: Puller,
        reference: Reference,
        *,
        service: Service,
        state: State,
        reporter: Reporter,
        threads: int,
        interval: float,
    ) -> None:
        """Join the parts; nothing is asked of the store yet.

        Args:
            reference: model and alias.
            threads: of the service.
            interval: seconds between two polls.
        """
        self._puller, self._reference = puller, reference
        self._service, self._state, self._reporter = service, state, reporter
        self._threads = threads
        self._backoff = Backoff(interval)
        self._serving: str | None = None  # identity
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poll", daemon=True)
        self.rejected: Rejected | None = None
        self.store_problem: str | None = None

    def begin(self) -> None:
        """Find a first release: what the alias stands for, else what was kept here.

        Without a network and without either, the service waits for one.

        Raises:
            StoreError: there is nothing to serve, and the store says that waiting is no use.
        """
        try:
            self._follow()
        except StoreUnreachableError as error:
            self.store_problem = str(error)
        except StoreError as error:
            if self._state.kept() is None:
                raise
            self.store_problem = str(error)
        if self._service.release is None:
            self._serve_kept()
        if self.store_problem:
            _log.warning("the store does not serve: %s", self.store_problem)

    def start(self) -> None:
        """Begin to poll, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop polling; a version that is being loaded is waited for."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def poll(self) -> bool:
        """Ask the store once, and take what it has; gives whether it has answered."""
        before = self.store_problem
        try:
            self._follow()
        except StoreError as error:
            self.store_problem = str(error)
        if self.store_problem and not before:
            _log.warning("the store does not serve: %s", self.store_problem)
        elif before and not self.store_problem:
            _log.info("the store answers again")
        return self.store_problem is None

    def notes(self) -> dict[str, Any]:
        """Give what `/health` says of the agent."""
        rejected = self.rejected
        return {
            "follows": str(self._reference),
            "rejected": {"version": rejected.number, "reason": rejected.reason}
            if rejected
            else None,
            "store_problem": self.store_problem,
            "telemetry_problem": self._reporter.problem,
        }

    def _follow(self) -> None:
        pulled = self._puller.pull(self._reference)
        self.store_problem = pulled.unreachable
        identity = pulled.folder.name  # in the cache, the hash of the version's manifest
        if identity == self._serving:
            self.rejected = None  # the alias is back on what is served
        elif self.rejected is None or self.rejected.identity != identity:
            self._take(pulled)

    def _take(self, pulled: Pulled) -> None:
        """Load a version, and swap it in if it passes."""
        identity, number = pulled.folder.name, pulled.version.number
        if not self._state.begin(identity):
            reason = "the process ended while it was being loaded, more than once"
            self._reject(Rejected(identity, number, reason))
            return
        try:
            release = load_release(pulled.folder, threads=self._threads, number=number)
        except Exception as error:  # LiteRT raises whatever it likes
            if not isinstance(error, KdTasksError):
                _log.exception("version %d could not be loaded", number)
            self._state.end()
            reason = " ".join(str(error).split()) or type(error).__name__
            self._reject(Rejected(identity, number, reason))
            return
        if release.manifest.self_test is None:
            _log.warning("version %d has no self-test; it was loaded and not compared", number)
        try:
            # before it serves, so that a process that is killed comes back with what it served
            self._state.keep(pulled.folder, identity, number)
        except OSError as error:
            _log.warning("version %d cannot be kept for a restart: %s", number, error)
        self._swap(release, identity)
        self.rejected = None

    def _serve_kept(self) -> None:
        kept = self._state.kept()
        if kept is None or (self.rejected and self.rejected.identity == kept.identity):
            return
        try:
            release = load_release(kept.folder, threads=self._threads, number=kept.number)
        except KdTasksError as error:
            _log.error("version %d, which was kept, cannot be served: %s", kept.number, error)
            return
        self._swap(release, kept.identity)

    def _swap(self, release: Release, identity: str) -> None:
        self._service.release = release
        self._serving = identity
        _log.info("%s version %s serves", self._reference.name, release.number)

    def _reject(self, rejected: Rejected) -> None:
        self.rejected = rejected
        serving = self._service.release
        _log.error(
            "version %d was taken back (%s); %s",
            rejected.number,
            rejected.reason,
            f"version {serving.number} goes on" if serving else "the version before serves, if any",
        )
        self._reporter.tell_rejected(rejected.number, rejected.reason, serving)

    def _run(self) -> None:
        pause = self._backoff.after_success()
        while not self._stopping.wait(pause):
            try:
                is_answered = self.poll()
            except Exception:  # whatever it is, the service and the next poll go on
                _log.exception("a poll failed")
                is_answered = False
            backoff = self._backoff
            pause = backoff.after_success() if is_answered else backoff.after_failure()


def default_state(name: str) -> Path:
    """Folder of a model's agent where this system keeps the state of programs."""
    if folder := os.environ.get("KDTASKS_STATE"):
        return Path(folder).expanduser().resolve() / name
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "kdtasks" / "agents" / name
