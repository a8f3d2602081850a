"""Requests to a cluster's workers: sent, with messages while they run, and their ends."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.cluster.client import worker_facts
from kdtasks.orchestrate.cluster.worker import Message, WorkRequest, WorkResult
from kdtasks.orchestrate.runner.graph import IsCancelled

if TYPE_CHECKING:
    from distributed import Client

POLL_SECONDS = 0.1


class Messenger:
    """Has requests run as tasks of Dask, which moves them on when a worker dies."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._topic = f"kdtasks-{uuid.uuid4().hex}"
        self._messages: defaultdict[str, SimpleQueue[Message]] = defaultdict(SimpleQueue)

    @classmethod
    @contextmanager
    def of(cls, client: "Client") -> Iterator["Messenger"]:
        """One that receives messages until the block ends."""
        messenger = cls(client)
        client.subscribe_topic(messenger._topic, messenger._receive)
        try:
            yield messenger
        finally:
            if client.status == "running":
                client.unsubscribe_topic(messenger._topic)

    def send(
        self,
        work: Callable[[WorkRequest], WorkResult],
        request: WorkRequest,
        on_message: Callable[[Message], None],
        is_cancelled: IsCancelled,
    ) -> WorkResult | None:
        """Have a request run by whichever worker is free, and wait for its end.

        Args:
            on_message: is given its messages, in this thread.

        Returns: what the worker hands in; None where the run was stopped.

        Raises:
            SweepError: the request failed, all workers that had it died, or the scheduler is lost.
        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        sent = request._replace(versions=worker_facts().versions, topic=self._topic)
        future = self._client.submit(work, sent, key=f"{request.name}-{uuid.uuid4().hex}")
        while not future.done():
            if is_cancelled():
                future.cancel()
                return None
            self._pass_on(request.name, on_message, POLL_SECONDS)
        try:
            work_result: WorkResult = future.result()
        except KilledWorker as error:
            raise SweepError(
                f"every worker that ran it died, the last one {error.last_worker.address}; its "
                "log says why, and memory is the first thing to look at"
            ) from None
        except FutureCancelledError:
            raise SweepError(
                "the connection to the scheduler was lost; finished stages are in the DVC remote, "
                "so run it again"
            ) from None
        finally:
            self._pass_on(request.name, on_message, 0)
        return work_result

    def _receive(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Take a message of a worker; called by Dask."""
        fields = {name: event[1][name] for name in Message._fields}  # Dask adds the worker
        message = Message(**fields)
        self._messages[message.name].put(message)

    def _pass_on(self, name: str, on_message: Callable[[Message], None], seconds: float) -> None:
        """Hand on what workers have told of a request, waiting for it for so long."""
        try:
            while message := self._messages[name].get(timeout=seconds):
                on_message(message)
        except Empty:
            pass
