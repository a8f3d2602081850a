"""Run the stages of a pipeline on a cluster's workers; what they write comes through the remote."""

import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kdtasks.core.errors import KdTasksError
from kdtasks.core.events import span
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.text import and_list
from kdtasks.orchestrate.cluster.client import check_workers, worker_facts
from kdtasks.orchestrate.cluster.messenger import Messenger
from kdtasks.orchestrate.cluster.shipping import remote_settings, ship
from kdtasks.orchestrate.cluster.worker import ARRIVAL, Message, WorkRequest, run_stage
from kdtasks.orchestrate.guardian import Guardian
from kdtasks.orchestrate.runner.dvc_files import Command
from kdtasks.orchestrate.runner.engine import LAST_LINES, SplitPhaseEngine
from kdtasks.orchestrate.runner.execute import StageCluster
from kdtasks.orchestrate.runner.files import EVENTS, events_path, file_name
from kdtasks.orchestrate.runner.graph import IsCancelled, OnLine, Outcome, StageGraph, StageState
from kdtasks.orchestrate.sweep.grid import short_digest
from kdtasks.orchestrate.sweep.pipeline import open_repository, read_pipeline, read_tree
from kdtasks.params import load_params

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def cluster_of(client: "Client") -> Iterator[StageCluster]:
    """The workers of a scheduler, for `execute`, until the block ends.

    Raises:
        SweepError: a worker cannot do its part.
    """
    facts = check_workers(client).values()
    neighbours = Counter(worker.host for worker in facts)
    cores = [worker.share(neighbours) for worker in facts]
    with Messenger.of(client) as messenger:
        engine = partial(
            ClusterStages, messenger=messenger, neighbours=neighbours, narrowest=min(cores)
        )
        yield StageCluster(engine, sum(cores), _mixed({worker.processor for worker in facts}))


def _mixed(processors: Set[str]) -> str:
    """Say so where workers, or they and this machine, would not come to the same bits."""
    here = worker_facts().processor
    if processors == {here}:
        return ""
    return (
        f"last bits depend on the processor, and here is {here}, the workers have "
        f"{and_list(sorted(processors))}; a stage's log begins with that on which it ran"
    )


class ClusterStages(SplitPhaseEngine):
    """Sends stages to workers, and records what they wrote as if they had run here.

    Stages that measure time run here, and so do those whose outputs do not go to the remote.
    """

    def __init__(
        self,
        project: Path,
        guardian: Guardian,
        *,
        messenger: Messenger,
        neighbours: Mapping[str, int],
        narrowest: int,
    ) -> None:
        """Args: `neighbours` are workers by host; `narrowest` are the fewest cores of a worker."""
        super().__init__(project, guardian, pull=True, push=True)
        self._messenger, self._neighbours, self._narrowest = messenger, neighbours, narrowest
        self._sent: set[str] = set()
        self._one_here = threading.Lock()

    def plan(self, targets: Sequence[str]) -> StageGraph:
        """As on one machine, but a stage fills no more than one worker."""
        with open_repository(self._project) as repo:
            remote_settings(repo)  # says what is missing, if anything
        nodes = super().plan(targets).nodes.values()
        return StageGraph.of(
            replace(node, threads=min(node.threads, self._narrowest)) for node in nodes
        )

    def survey(self) -> frozenset[str]:
        """Find the unchanged stages, and ship the project if there are others."""
        unchanged = super().survey()
        if len(unchanged) < len(self._graph.nodes):
            with span("shipping", self._events):
                pipeline = read_pipeline(self._project, list(self._graph.nodes))
                with open_repository(self._project) as repo:
                    self._tree = read_tree(repo, pipeline)
                self._state, self._shipment = self._tree.state(), ship(self._project, self._tree)
                self._runtime = load_params(ProjectPaths(self._project).params).runtime
        return unchanged

    def bring_up_to_date(self, name: str, on_line: OnLine, is_cancelled: IsCancelled) -> Outcome:
        """Bring one stage up to date, all that it needs being so, and into the remote."""
        outcome = super().bring_up_to_date(name, on_line, is_cancelled)
        return outcome._replace(state=StageState.COMPLETED) if name in self._sent else outcome

    def _perform(
        self, name: str, command: Command, on_line: OnLine, is_cancelled: IsCancelled
    ) -> Outcome:
        if self._graph.nodes[name].exclusive or not command.is_shared:
            with self._one_here:
                return super()._perform(name, command, on_line, is_cancelled)
        events = events_path(self._project / EVENTS, name)
        last_lines: deque[str] = deque(maxlen=LAST_LINES)

        def on_message(message: Message) -> None:
            events.parent.mkdir(parents=True, exist_ok=True)
            with events.open("a", encoding="utf-8") as file:
                file.write(message.events)
            for line in message.lines:  # of a run of more than this stage
                own = line.removeprefix(f"{name} |").removeprefix(" ")
                if own != line or line.startswith(ARRIVAL):
                    last_lines.append(own)
                    on_line(own)

        try:
            with span("command", self._events, name):
                work_result = self._messenger.send(
                    run_stage, self._request(name), on_message, is_cancelled
                )
        except KdTasksError as error:
            return Outcome(StageState.FAILED, message=str(error), last_lines=tuple(last_lines))
        if work_result is None:
            return Outcome(StageState.CANCELLED, message=f"stage {name} was stopped")
        self._sent.add(name)
        with span("DVC", self._events, name):
            return self._repository.finish(name, is_elsewhere=True)

    def _request(self, name: str) -> WorkRequest:
        paths = ProjectPaths(self._project)
        text = paths.params.read_text(encoding="utf-8")
        return WorkRequest(
            name,
            f"{file_name(name)}-{short_digest(text)}",
            text,
            (name,),
            self._runtime,
            self._graph.nodes[name].threads,
            self._neighbours,
            self._tree,
            self._state,
            self._shipment,
            lock_text=paths.lock.read_text(encoding="utf-8") if paths.lock.is_file() else "",
        )
