"""Keep a service on the version that an alias stands for: poll, try, swap, or take back."""

import logging
from typing import NamedTuple

from kdtasks.core import JsonObject
from kdtasks.core.errors import KdTasksError, StoreError, StoreUnreachableError
from kdtasks.deploy.agent.settings import DeviceSettings
from kdtasks.deploy.agent.state import DeviceState
from kdtasks.deploy.agent.telemetry import TelemetrySender
from kdtasks.deploy.agent.worker import Backoff, Worker
from kdtasks.deploy.serve.service import Release, Service, load_release
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.pull import Puller, PullResult

_log = logging.getLogger(__name__)


class RejectedVersion(NamedTuple):
    """A version that this device has rejected, and why."""

    identity: str
    number: int
    reason: str

    def to_json(self) -> JsonObject:
        """Give it as `/health` and telemetry have it."""
        return {"version": self.number, "reason": self.reason}


class Agent(Worker):
    """Follows an alias on behalf of a service.

    Attributes:
        rejected: the version that the alias stands for, if this device could not take it.
        store_problem: why the store gave nothing the last time; null where it did.
    """

    def __init__(
        self,
        objects: Objects,
        settings: DeviceSettings,
        *,
        service: Service,
        state: DeviceState,
        sender: TelemetrySender,
    ) -> None:
        """Join the parts; nothing is asked of the store yet."""
        cache = Cache(settings.cache)
        self._puller = Puller(objects=objects, cache=cache, trusted=settings.trusted)
        self._settings = settings
        self._service, self._state, self._sender = service, state, sender
        self._backoff = Backoff(settings.interval)
        self._serving: str | None = None  # identity
        super().__init__("poll", self._backoff.after_success())
        self.rejected: RejectedVersion | None = None
        self.store_problem: str | None = None

    def begin(self) -> None:
        """Find a first release: what the alias stands for, else what was kept here.

        Without a network and without either, the service waits for one.

        Raises:
            StoreError: there is nothing to serve, and the store says that waiting is no use.
        """
        try:
            self._follow()
        except StoreError as error:
            if not isinstance(error, StoreUnreachableError) and not self._state.kept():
                raise
            self.store_problem = str(error)
        if self._service.release is None:
            self._serve_kept()
        if self.store_problem:
            _log.warning("the store does not serve: %s", self.store_problem)

    def work(self) -> float:
        """Poll."""
        return self._backoff.after_success() if self.poll() else self._backoff.after_failure()

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

    def notes(self) -> JsonObject:
        """Give what `/health` says of the agent."""
        rejected = self.rejected  # which the thread that asks the store may change
        return {
            "follows": str(self._settings.reference),
            "rejected": rejected.to_json() if rejected else None,
            "store_problem": self.store_problem,
            "telemetry_problem": self._sender.problem,
        }

    def _follow(self) -> None:
        pulled = self._puller.pull(self._settings.reference)
        self.store_problem = pulled.unreachable
        identity = pulled.folder.name  # in the cache, the hash of the version's manifest
        if identity == self._serving:
            self.rejected = None  # the alias is back on what is served
        elif self.rejected is None or self.rejected.identity != identity:
            self._take(pulled)

    def _take(self, pulled: PullResult) -> None:
        """Load a version, and swap it in if it passes."""
        identity, number = pulled.folder.name, pulled.version.number
        if not self._state.begin(identity):
            reason = "the process ended while it was being loaded, more than once"
            self._reject(RejectedVersion(identity, number, reason))
            return
        try:
            release = load_release(pulled.folder, threads=self._settings.threads, number=number)
        except Exception as error:  # LiteRT raises whatever it likes
            if not isinstance(error, KdTasksError):
                _log.exception("version %d could not be loaded", number)
            self._state.end()
            reason = " ".join(str(error).split()) or type(error).__name__
            self._reject(RejectedVersion(identity, number, reason))
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
        """Serve what passed last, or the release before where the disk has damaged that."""
        damaged = []
        for kept in self._state.kept():
            if self.rejected and self.rejected.identity == kept.identity:
                continue
            try:
                release = load_release(
                    kept.folder, threads=self._settings.threads, number=kept.number
                )
            except Exception as error:  # a damaged file raises whatever it likes
                reason = " ".join(str(error).split()) or type(error).__name__
                _log.error("version %d, which was kept, cannot be served: %s", kept.number, reason)
                damaged.append(
                    RejectedVersion(kept.identity, kept.number, f"damaged here: {reason}")
                )
                self._state.forget(kept)
                continue
            self._swap(release, kept.identity)
            break
        if damaged:  # it is no rejection: the store's copy is fetched again
            self._sender.report_rejected(damaged[0].to_json(), self._service.release)

    def _swap(self, release: Release, identity: str) -> None:
        self._service.release = release
        self._serving = identity
        _log.info("%s version %s serves", self._settings.reference.name, release.number)

    def _reject(self, rejected: RejectedVersion) -> None:
        self.rejected = rejected
        serving = self._service.release
        _log.error(
            "version %d was rejected (%s); %s",
            rejected.number,
            rejected.reason,
            f"version {serving.number} stays in service"
            if serving
            else "the version before serves, if any",
        )
        self._sender.report_rejected(rejected.to_json(), serving)
