"""A whole device: agent, server and telemetry, joined from a few settings."""

import contextlib
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdtasks.core.errors import ServingError
from kdtasks.deploy.agent.agent import Agent
from kdtasks.deploy.agent.state import State
from kdtasks.deploy.agent.telemetry import Reporter, Spool
from kdtasks.deploy.serve.application import make_application
from kdtasks.deploy.serve.prometheus import Measures
from kdtasks.deploy.serve.server import Server
from kdtasks.deploy.serve.service import Service
from kdtasks.deploy.store.address import Reference
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.pull import Puller
from kdtasks.deploy.store.signing import PublicKey

_DEVICE = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """What a device is told.

    Attributes:
        reference: model and alias to follow.
        state, cache: folders; no two devices may share `state`.
        device: its name in telemetry.
        trusted: whose signatures count; if empty, unsigned versions are accepted.
        host, port: to listen on; 0 is any port that is free.
        threads: images at work at once.
        most_bytes: that a body may have.
        interval, telemetry_interval: seconds between polls, and between batches.
    """

    reference: Reference
    state: Path
    cache: Path
    device: str
    trusted: Sequence[PublicKey] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    threads: int = 2
    most_bytes: int = 10_000_000
    interval: float = 60.0
    telemetry_interval: float = 60.0


class Device:
    """An agent with its server; use it as a context, which begins and ends all of it.

    Attributes:
        name: as telemetry calls it.
        service, agent, reporter, spool, server: its parts.
    """

    def __init__(self, objects: Objects, settings: DeviceSettings) -> None:
        """Join the parts.

        Raises:
            ServingError: the name is none, the port or the state's folder cannot be had.
        """
        if not _DEVICE.fullmatch(settings.device):
            raise ServingError(
                f"{settings.device!r} is no name of a device; allowed are lower case letters, "
                "digits, '.', '_' and '-', a letter or a digit first: give --device"
            )
        self.name = settings.device
        try:
            self._state = State(settings.state)
            self.spool = Spool(settings.state / "spool")
        except OSError as error:
            raise ServingError(
                f"{settings.state} cannot be written ({error}); give another --state"
            ) from None
        self._held = contextlib.ExitStack()
        self.service = Service(None, threads=settings.threads)
        self.reporter = Reporter(
            objects,
            self.spool,
            name=settings.reference.name,
            device=settings.device,
            interval=settings.telemetry_interval,
        )
        self.service.observers.append(self.reporter.count)
        self.agent = Agent(
            Puller(objects=objects, cache=Cache(settings.cache), trusted=settings.trusted),
            settings.reference,
            service=self.service,
            state=self._state,
            reporter=self.reporter,
            threads=settings.threads,
            interval=settings.interval,
        )
        measures = Measures(self.service)
        measures.follow(
            "kdtasks_telemetry_sent", "Batches that the store has.", lambda: self.spool.sent
        )
        measures.follow(
            "kdtasks_telemetry_dropped",
            "Batches lost for want of room.",
            lambda: self.spool.dropped,
        )
        measures.follow(
            "kdtasks_telemetry_waiting",
            "Batches on the disk.",
            lambda: len(self.spool.waiting()),
        )
        measures.follow(
            "kdtasks_model_rejected",
            "Whether the version that is asked for was taken back.",
            lambda: float(self.agent.rejected is not None),
        )
        self.server = Server(
            make_application(
                self.service,
                most_bytes=settings.most_bytes,
                measures=measures,
                notes=lambda: {"device": settings.device, **self.agent.notes()},
            ),
            host=settings.host,
            port=settings.port,
        )

    def __enter__(self) -> "Device":
        """Load a first release, and begin to poll and to count; the server is the caller's."""
        try:
            self._held.enter_context(self._state.held())
            self.agent.begin()
        except BaseException:
            self.server.stop()
            self.service.close()
            self._held.close()
            raise
        self.agent.start()
        self.reporter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.agent.stop()
        self.service.close()
        self.reporter.stop()
        self._held.close()


def own_name() -> str:
    """This machine's name, as a device may be called."""
    name = re.sub(r"[^a-z0-9._-]+", "-", socket.gethostname().lower()).lstrip("._-")
    return name[:100] or "device"
