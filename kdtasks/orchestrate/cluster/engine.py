"""Run the points of a sweep on a cluster's workers and collect them as experiments here."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from kdtasks.core.text import quantity
from kdtasks.orchestrate.cluster.client import check_workers
from kdtasks.orchestrate.cluster.messenger import Messenger
from kdtasks.orchestrate.cluster.shipping import ship
from kdtasks.orchestrate.cluster.worker import Message, WorkRequest, WorkResult, run_point
from kdtasks.orchestrate.project.git import fetch_experiment
from kdtasks.orchestrate.runner.files import run_events
from kdtasks.orchestrate.runner.graph import IsCancelled, OnLine, Outcome, StageGraph, StageState
from kdtasks.orchestrate.sweep.engine import SweepEngine
from kdtasks.orchestrate.sweep.jobs import Job
from kdtasks.orchestrate.sweep.pipeline import open_repository
from kdtasks.orchestrate.sweep.plan import SweepPlan, result_path
from kdtasks.orchestrate.sweep.results import PointResult, keep_result

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def cluster_sweep(
    plan: SweepPlan[PointResult], client: "Client", *, workers: int | None
) -> Iterator["ClusterEngine"]:
    """Make ready to run a sweep's points on a cluster; as many at once as it has workers.

    Args:
        workers: most points at once; more than there are workers, where some are still to come.

    Raises:
        SweepError: a worker cannot do its part, there is no DVC remote, or data lie outside.
        StageError: the remote could not be reached for minutes.
    """
    facts = check_workers(client)
    neighbours = Counter(worker.host for worker in facts.values())
    at_once = max(1, min(workers or len(facts), len(plan.points) - len(plan.done)))
    where = f"{quantity(len(facts), 'worker')} of {client.scheduler_info()['address']}"
    # a stage that measures time has its worker to itself, but not what else runs on the machine
    is_alone = max(neighbours.values()) == 1
    nodes = (
        replace(node, threads=1, exclusive=node.exclusive and not is_alone)
        for node in plan.graph.nodes.values()
    )
    on_cluster = replace(
        plan, graph=StageGraph.of(nodes), workers=at_once, cores=at_once, note=None, where=where
    )
    threads = {
        name: node.threads // plan.jobs[name].workers for name, node in plan.graph.nodes.items()
    }
    with Messenger.of(client) as messenger:
        yield ClusterEngine(on_cluster, messenger, threads, neighbours)


class ClusterEngine(SweepEngine[PointResult]):
    """Runs the points of a sweep as tasks of Dask, which moves them on when a worker dies."""

    def __init__(
        self,
        plan: SweepPlan[PointResult],
        messenger: Messenger,
        threads: Mapping[str, int],
        neighbours: Mapping[str, int],
    ) -> None:
        """Ship the project, unless all points are done.

        Args:
            threads: of the widest stage, by name of the node.
            neighbours: workers by host.
        """
        super().__init__(plan)
        self.plan, self._messenger = plan, messenger
        self._threads, self._neighbours = threads, neighbours
        self._processors: defaultdict[str, set[str]] = defaultdict(set)  # by name of the node
        if len(plan.done) < len(plan.points):
            self._shipment = ship(plan.project, plan.tree)

    def _run(self, job: Job, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        plan = self._plan
        name = next(name for name, other in plan.jobs.items() if other is job)
        request = WorkRequest(
            name,
            job.clone,
            job.point.text,
            job.stages,
            job.point.params.runtime,
            self._threads[name],
            self._neighbours,
            plan.tree,
            plan.state,
            self._shipment,
            job.point.experiment if job.is_point else "",
            job.point.params.seeds,
            job.point.params.metric.key,
        )
        events = run_events(plan.project_folder(name))
        events.unlink(missing_ok=True)

        def on_message(message: Message) -> None:
            self._processors[name].add(message.processor)
            events.parent.mkdir(parents=True, exist_ok=True)
            with events.open("a", encoding="utf-8") as file:
                file.write(message.events)
            for line in message.lines:
                on_line(line)

        work_result = self._messenger.send(run_point, request, on_message, is_cancelled)
        if work_result is None:
            return Outcome(StageState.CANCELLED, message="stopped")
        return Outcome(StageState.COMPLETED, self._collect(name, job, work_result))

    def _collect(self, name: str, job: Job, work_result: WorkResult) -> str:
        """Make what a worker has handed in an experiment of the project, and keep its metrics."""
        plan, experiment = self._plan, job.point.experiment
        if not job.is_point or work_result.result is None:
            return ""
        # of its own stages, wherever it began, and of those that it shares
        ran_on = set().union(*(self._processors[need] for need in self._needs(name)))
        result = work_result.result.model_copy(update={"processors": tuple(sorted(ran_on))})
        with self._one_fetch, TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundle"
            bundle.write_bytes(work_result.experiment)
            commit = fetch_experiment(plan.project, bundle, plan.tree.head, experiment)
            with open_repository(plan.project) as repo:
                for digest, content in work_result.metrics.items():
                    if not repo.cache.local.exists(digest):
                        repo.cache.local.add_bytes(digest, content)
        keep_result(result_path(plan.project, job.point), plan.inputs[experiment], result)
        self.results[experiment] = result
        return commit

    def _needs(self, name: str) -> set[str]:
        nodes = self._plan.graph.nodes
        return {name}.union(*(self._needs(need) for need in nodes[name].needs))
