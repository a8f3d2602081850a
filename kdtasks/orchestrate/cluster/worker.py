"""What a worker does: run a point of a sweep in a clone of the shipped project, and hand it in."""

import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.cluster.client import check_versions, worker_facts
from kdtasks.orchestrate.cluster.shipping import Shipment, unpack
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.processes import usable_cores
from kdtasks.orchestrate.project.clone import make_clone, remove_clone
from kdtasks.orchestrate.project.git import WorkingTree, bundle_experiment, save_experiment
from kdtasks.orchestrate.runner.files import run_events
from kdtasks.orchestrate.sweep.engine import run_in_clone
from kdtasks.orchestrate.sweep.jobs import Job
from kdtasks.orchestrate.sweep.pipeline import open_repository
from kdtasks.orchestrate.sweep.results import PointResult

if TYPE_CHECKING:
    from distributed import Worker

BETWEEN_NEWS_SECONDS = 0.5

_one_unpacks = threading.Lock()


class Errand(NamedTuple):
    """A point of a sweep, or what several share, as a worker gets it."""

    name: str  # of the node
    job: Job
    threads: int  # of its widest stage
    neighbours: Mapping[str, int]  # workers by host, which share its cores
    tree: WorkingTree
    state: str  # of the project
    shipment: Shipment
    versions: str  # where the sweep was begun
    topic: str  # of news


class Delivery(NamedTuple):
    """What a worker hands in; outputs are in the DVC remote by then."""

    experiment: bytes  # a bundle of git
    result: PointResult | None
    metrics: dict[str, bytes]  # contents of the DVC cache, by hash: `dvc exp show` reads them


def run_errand(errand: Errand) -> Delivery:
    """Run the stages that neither the worker nor the remote has, and hand in what came out.

    Every stage is taken to the remote as it ends, so another worker goes on from there.

    Raises:
        SweepError: a stage failed, or the worker has other versions than the head.
        StageError: the remote could not be reached for minutes.
    """
    from distributed import get_worker

    worker, facts = get_worker(), worker_facts()
    check_versions(worker.address, facts.versions, errand.versions)
    job, folder = errand.job, Path(worker.local_directory) / "kdtasks" / errand.state[:16]
    is_cancelled = _Cancellation(worker)
    with _one_unpacks:
        tree, cache = unpack(errand.shipment, errand.tree, folder, is_cancelled)
    clone = folder / "clones" / job.clone
    place = make_clone(tree, clone, params_text=job.point.text, cache=cache, mark=errand.state)
    news = _News(worker, errand, facts.processor, run_events(place))
    points = worker.state.nthreads * errand.neighbours.get(facts.host, 1)
    at_once = max(1, usable_cores() // points // errand.threads)
    words = (*job.stages, "--workers", str(at_once), "--pull", "--push")
    with closing(Guardian()) as guardian:
        try:
            if not run_in_clone(place, words, news.tell, is_cancelled, guardian):
                raise SweepError("stopped")
        finally:
            news.send()
    delivery = Delivery(b"", None, {})
    if job.is_point:
        name = job.point.experiment
        result = PointResult.read(place, job.point.params)
        save_experiment(place, name, job.stages)
        bundle = bundle_experiment(place, tree.head, name)
        delivery = Delivery(bundle, result, _metrics(place))
    remove_clone(clone)
    return delivery


def _metrics(place: Path) -> dict[str, bytes]:
    with open_repository(place) as repo:
        hashes = [out.hash_info for out in repo.index.outs if out.metric and out.use_cache]
        paths = {
            it.value: Path(repo.cache.local.oid_to_path(it.value))
            for it in hashes
            if it and not it.isdir
        }
    return {digest: path.read_bytes() for digest, path in paths.items() if path.is_file()}


class _Cancellation:
    """Whether nobody waits for this thread's task any more; asks no other machine."""

    def __init__(self, worker: "Worker") -> None:
        self._worker, self._key = worker, worker.get_current_task()

    def __call__(self) -> bool:
        task = self._worker.state.tasks.get(self._key)
        is_closing = self._worker.status.name not in ("running", "paused", "closing_gracefully")
        return is_closing or task is None or task.state == "cancelled"


class _News:
    """Sends lines and events of a run to the head, now and then."""

    def __init__(self, worker: "Worker", errand: Errand, processor: str, events: Path) -> None:
        self._worker, self._topic, self._events = worker, errand.topic, events
        self._about = {"name": errand.name, "processor": processor}
        self._lines = [f"on worker {worker.address}"]
        self._offset = 0
        events.unlink(missing_ok=True)  # of a killed run
        self.send()

    def tell(self, line: str) -> None:
        """Send a line soon."""
        self._lines.append(line)
        if time.monotonic() - self._sent > BETWEEN_NEWS_SECONDS:
            self.send()

    def send(self) -> None:
        """Send what was not sent yet."""
        self._sent = time.monotonic()
        text = self._events.read_text(encoding="utf-8") if self._events.is_file() else ""
        end = text.rfind("\n") + 1
        news = {**self._about, "lines": self._lines, "events": text[self._offset : end]}
        self._worker.log_event(self._topic, news)
        self._offset, self._lines = end, []
