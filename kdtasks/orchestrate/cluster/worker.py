"""What a worker does: run a point or a stage in a clone of the shipped project, and hand it in."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdtasks.core.errors import SweepError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.settings import RuntimeParams
from kdtasks.orchestrate.cluster.client import check_versions, worker_facts
from kdtasks.orchestrate.cluster.core_pool import CorePool
from kdtasks.orchestrate.cluster.shipping import ShippedProject, unpack
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.project.clone import make_clone, remove_clone
from kdtasks.orchestrate.project.git import WorkingTree, bundle_experiment, save_experiment
from kdtasks.orchestrate.runner.damage import postpone_check
from kdtasks.orchestrate.runner.files import EVENTS, events_path, run_events
from kdtasks.orchestrate.runner.graph import IsCancelled
from kdtasks.orchestrate.sweep.engine import run_in_clone
from kdtasks.orchestrate.sweep.pipeline import open_repository
from kdtasks.orchestrate.sweep.results import PointResult
from kdtasks.orchestrate.warm.commands import WarmCommands
from kdtasks.orchestrate.warm.server import LastServer
from kdtasks.orchestrate.warm.stages import SharedStages

if TYPE_CHECKING:
    from distributed import Worker

BETWEEN_MESSAGES_SECONDS = 0.5
ARRIVAL = "on worker "

_one_unpacks = threading.Lock()
_cores = CorePool()
_commands, _stages = LastServer(WarmCommands), LastServer(SharedStages)


class WorkRequest(NamedTuple):
    """A point of a sweep, what several share, or a stage, as a worker gets it."""

    name: str  # of the node
    clone: str  # name of the folder
    params_text: str
    stages: tuple[str, ...]
    runtime: RuntimeParams  # of the params
    threads: int  # of the widest of them
    neighbours: Mapping[str, int]  # workers by host, which share its cores
    tree: WorkingTree
    state: str  # of the project
    shipment: ShippedProject
    experiment: str = ""  # that becomes of a point
    seeds: tuple[int, ...] = ()  # of the point
    metric: str = ""  # that points are compared by
    lock_text: str = ""  # dvc.lock with what other stages have written
    versions: str = ""  # where the run was begun
    topic: str = ""  # of its messages


class Message(NamedTuple):
    """What a worker tells of a request while it runs."""

    name: str  # of the node
    processor: str  # kind of it
    lines: Sequence[str]  # that were printed
    events: str  # lines of the file of events


class WorkResult(NamedTuple):
    """What a worker hands in; outputs are in the DVC remote by then."""

    experiment: bytes  # a bundle of git
    result: PointResult | None
    metrics: dict[str, bytes]  # contents of the DVC cache, by hash: `dvc exp show` reads them


def run_point(request: WorkRequest) -> WorkResult:
    """Run the stages that neither the worker nor the remote has, and hand in what came out.

    Every stage is taken to the remote as it ends, so another worker goes on from there.

    Raises:
        SweepError: a stage failed, or the worker has other versions than the head.
        StageError: the remote could not be reached for minutes.
    """
    from distributed import get_worker

    worker = get_worker()
    cores = worker_facts().share(request.neighbours)
    at_once = max(1, cores // worker.state.nthreads // request.threads)
    return _run(request, worker, run_events, at_once, _Cancellation(worker))


def run_stage(request: WorkRequest) -> WorkResult:
    """Run one stage as soon as the worker has cores for it; what it needs comes from the remote.

    Raises: as `run_point`.
    """
    from distributed import get_worker

    worker = get_worker()
    cores = worker_facts().share(request.neighbours)
    (name,) = request.stages
    is_cancelled = _Cancellation(worker)
    with _cores.taken(request.threads, cores, is_cancelled) as let_another_in:

        def is_stopped() -> bool:
            let_another_in()
            return is_cancelled()

        return _run(request, worker, lambda clone: events_path(clone / EVENTS, name), 1, is_stopped)


def _run(
    request: WorkRequest,
    worker: "Worker",
    events: Callable[[Path], Path],
    at_once: int,
    is_cancelled: IsCancelled,
) -> WorkResult:
    facts = worker_facts()
    check_versions(worker.address, facts.versions, request.versions)
    folder = Path(worker.local_directory) / "kdtasks" / request.state[:16]
    with _one_unpacks:
        tree, cache = unpack(request.shipment, request.tree, folder, is_cancelled)
    clone_folder = folder / "clones" / request.clone
    clone = make_clone(
        tree, clone_folder, params_text=request.params_text, cache=cache, mark=request.state
    )
    if request.lock_text:
        ProjectPaths(clone).lock.write_text(request.lock_text, encoding="utf-8")
        postpone_check(clone)  # of all that other stages wrote, for one that reads some of it
    messages = _Messages(worker, request, facts.processor, events(clone))
    words = (*request.stages, "--workers", str(at_once), "--pull", "--push")
    with closing(Guardian()) as guardian:
        try:
            if not run_in_clone(
                clone,
                words,
                messages.send_line,
                is_cancelled,
                guardian,
                start=_commands.of(tree.project).words,
                variables=_stages.of((tree.project, request.runtime)).for_runs(),
            ):
                raise SweepError("stopped")
        finally:
            messages.send()
    work_result = WorkResult(b"", None, {})
    if name := request.experiment:
        result = PointResult.of(clone, request.seeds, request.metric)
        save_experiment(clone, tree.head, name)
        bundle = bundle_experiment(clone, tree.head, name)
        work_result = WorkResult(bundle, result, _metrics(clone))
    remove_clone(clone_folder)
    return work_result


def _metrics(clone: Path) -> dict[str, bytes]:
    with open_repository(clone) as repo:
        hashes = [out.hash_info for out in repo.index.outs if out.metric and out.use_cache]
        paths = {
            hash_info.value: Path(repo.cache.local.oid_to_path(hash_info.value))
            for hash_info in hashes
            if hash_info and not hash_info.isdir
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


class _Messages:
    """Sends lines and events of a run to the head, now and then."""

    def __init__(
        self, worker: "Worker", request: WorkRequest, processor: str, events: Path
    ) -> None:
        self._worker, self._request, self._events = worker, request, events
        self._processor = processor
        self._lines = [f"{ARRIVAL}{worker.address}, {processor}"]
        self._offset = 0
        events.unlink(missing_ok=True)  # of a killed run
        self.send()

    def send_line(self, line: str) -> None:
        """Send a line soon."""
        self._lines.append(line)
        if time.monotonic() - self._sent > BETWEEN_MESSAGES_SECONDS:
            self.send()

    def send(self) -> None:
        """Send what was not sent yet."""
        self._sent = time.monotonic()
        text = self._events.read_text(encoding="utf-8") if self._events.is_file() else ""
        end = text.rfind("\n") + 1
        name, news = self._request.name, text[self._offset : end]
        message = Message(name, self._processor, self._lines, news)
        self._worker.log_event(self._request.topic, message._asdict())
        self._offset, self._lines = end, []
