"""A whole device: agent, server and telemetry, joined from a few settings."""

import contextlib

from kdtasks.core.errors import ServingError
from kdtasks.deploy.agent.agent import Agent
from kdtasks.deploy.agent.settings import DeviceSettings
from kdtasks.deploy.agent.state import DeviceState
from kdtasks.deploy.agent.telemetry import TelemetrySender
from kdtasks.deploy.serve.application import make_application
from kdtasks.deploy.serve.prometheus import Prometheus
from kdtasks.deploy.serve.server import Server
from kdtasks.deploy.serve.service import Service
from kdtasks.deploy.store.address import check_device
from kdtasks.deploy.store.objects import Objects


class Device:
    """An agent with its server; use it as a context, which begins and ends all of it.

    Attributes:
        name: as telemetry calls it.
        service, agent, sender, spool, server: its parts.
    """

    def __init__(self, objects: Objects, settings: DeviceSettings) -> None:
        """Join the parts.

        Raises:
            ServingError: the name is none, the port or the state's folder cannot be had.
        """
        self.name = check_device(settings.device)
        try:
            self._state = DeviceState(settings.state)
            self.sender = TelemetrySender(objects, settings)
        except OSError as error:
            raise ServingError(
                f"{settings.state} cannot be written ({error}); give another --state"
            ) from None
        self._held = contextlib.ExitStack()
        self.service = Service(None, threads=settings.threads, max_pixels=settings.max_pixels)
        self.service.observers.append(self.sender.count)
        agent = Agent(
            objects, settings, service=self.service, state=self._state, sender=self.sender
        )
        self.agent, self.spool = agent, self.sender.spool
        prometheus, spool = Prometheus(self.service), self.spool
        follow = prometheus.follow
        follow("kdtasks_telemetry_sent", "Batches that the store has.", lambda: spool.sent)
        follow("kdtasks_telemetry_dropped", "Batches lost for want of room.", lambda: spool.dropped)
        follow("kdtasks_telemetry_waiting", "Batches on the disk.", lambda: len(spool.waiting()))
        rejected = "Whether the version that is asked for was rejected."
        follow("kdtasks_model_rejected", rejected, lambda: agent.rejected is not None)
        self.server = Server(
            make_application(
                self.service,
                max_bytes=settings.max_bytes,
                prometheus=prometheus,
                notes=lambda: {"device": settings.device, **self.agent.notes()},
            ),
            host=settings.host,
            port=settings.port,
        )

    def __enter__(self) -> "Device":
        """Load a first release, and begin to poll and to count; the server is the caller's."""
        try:
            self._held.enter_context(self._state.locked())
            self.agent.begin()
        except BaseException:
            self.server.stop()
            self.service.close()
            self._held.close()
            raise
        self.agent.start()
        self.sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.agent.stop()
        self.service.close()
        self.sender.stop()
        self._held.close()
