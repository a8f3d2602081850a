"""Errands to a cluster's workers: sent, heard of while they run, and their ends."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.cluster.client import worker_facts
from kdtasks.orchestrate.cluster.worker import Delivery, Errand
from kdtasks.orchestrate.runner.graph import IsCancelled

if TYPE_CHECKING:
    from distributed import Client

POLL_SECONDS = 0.1


class Messenger:
    """Has errands run as tasks of Dask, which moves them on when a worker dies."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._topic = f"kdtasks-{uuid.uuid4().hex}"
        self._news: defaultdict[str, SimpleQueue[dict[str, Any]]] = defaultdict(SimpleQueue)

    @classmethod
    @contextmanager
    def of(cls, client: "Client") -> Iterator["Messenger"]:
        """One that hears of its errands until the block ends."""
        messenger = cls(client)
        client.subscribe_topic(messenger._topic, messenger._hear)
        try:
            yield messenger
        finally:
            if client.status == "running":
                client.unsubscribe_topic(messenger._topic)

    def send(
        self,
        work: Callable[[Errand], Delivery],
        errand: Errand,
        hear: Callable[[dict[str, Any]], None],
        is_cancelled: IsCancelled,
    ) -> Delivery | None:
        """Have an errand run by whichever worker is free, and wait for its end.

        Args:
            hear: is given the news of it, in this thread.

        Returns: what the worker hands in; None where the run was stopped.

        Raises:
            SweepError: the errand failed, all workers that had it died, or the scheduler is lost.
        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        sent = errand._replace(versions=worker_facts().versions, topic=self._topic)
        future = self._client.submit(work, sent, key=f"{errand.name}-{uuid.uuid4().hex}")
        while not future.done():
            if is_cancelled():
                future.cancel()
                return None
            self._pass_on(errand.name, hear, POLL_SECONDS)
        try:
            delivery: Delivery = future.result()
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
            self._pass_on(errand.name, hear, 0)
        return delivery

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take news of a worker; called by Dask."""
        self._news[event[1]["name"]].put(event[1])

    def _pass_on(self, name: str, hear: Callable[[dict[str, Any]], None], seconds: float) -> None:
        """Hand on what workers have told of an errand, waiting for it for so long."""
        try:
            while news := self._news[name].get(timeout=seconds):
                hear(news)
        except Empty:
            pass
