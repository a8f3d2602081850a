"""Decide which stage runs when: as soon as what it needs is there and a core is free for it."""

import contextvars
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kdtasks.core.errors import KdTasksError
from kdtasks.core.events import Event, MessageEvent, SpanEvent, StageEvent, emit
from kdtasks.orchestrate.processes import uninterrupted
from kdtasks.orchestrate.runner.files import stage_log
from kdtasks.orchestrate.runner.graph import (
    OnLine,
    Outcome,
    RunObserver,
    StageGraph,
    StageNode,
    StageState,
)

if TYPE_CHECKING:  # DVC is imported with it
    from kdtasks.orchestrate.runner.engine import Engine

POLL_SECONDS = 0.2  # how long a signal may wait for an answer
STOPPED = "the run was stopped"


class Scheduler:
    """Runs the stages of a graph side by side, each as soon as it can.

    Among the stages that can start, those that most others wait for go first. The threads of the
    stages that run at once never exceed the cores, unless one stage alone does.
    """

    def __init__(
        self,
        graph: StageGraph,
        engine: "Engine",
        reporter: RunObserver,
        *,
        workers: int,
        cores: int,
        logs: Path,
        events: Path | None = None,
    ) -> None:
        """Decide the order; nothing runs yet.

        Args:
            graph: what to run.
            engine: runs it.
            reporter: is told.
            workers: most stages at once.
            cores: of this machine.
            logs: folder for the stages' output.
            events: file in which it stands what becomes of each, before the reporter is told.
        """
        self._graph, self._engine, self._reporter = graph, engine, reporter
        self._workers, self._cores, self._logs, self._events = workers, cores, logs, events
        self._cancelled = threading.Event()
        self._outcomes: dict[str, Outcome] = {}
        self._running: dict[Future[Outcome], StageNode] = {}
        self._unchanged: frozenset[str] = frozenset()
        self._ready: dict[str, float] = {}  # since when nothing but a core was missing
        waiting = sorted(graph.nodes, key=lambda name: -len(graph.dependants[name]))
        self._waiting = [graph.nodes[name] for name in waiting]

    def run(self) -> Mapping[str, Outcome]:
        """Run to the end; a stage that fails takes only those along that depend on it.

        Any exception in this thread, such as KeyboardInterrupt, ends the stages that run, with all
        that they started, and is raised again when they have ended.

        Returns: the outcome of every stage.
        """
        try:
            self._reporter.begin(self._graph)
            self._unchanged = self._engine.survey()
            with ThreadPoolExecutor(max_workers=max(1, len(self._graph.nodes))) as threads:
                try:
                    while self._waiting or self._running:
                        self._start_ready(threads)
                        self._collect()
                except BaseException:
                    self._cancelled.set()
                    with uninterrupted():
                        while self._running:
                            self._collect()
                    raise
        finally:
            for node in self._graph.nodes.values():
                if node.name not in self._outcomes:
                    self._skip(node, Outcome(StageState.CANCELLED, message=STOPPED))
            self._reporter.end(self._outcomes)
        return {name: self._outcomes[name] for name in self._graph.nodes}

    def _start_ready(self, threads: ThreadPoolExecutor) -> None:
        for node in list(self._waiting):
            if not all(need in self._outcomes for need in node.needs):
                continue
            ready = self._ready.setdefault(node.name, time.monotonic())
            if self._fits(node):
                waited = round(time.monotonic() - ready, 6)
                self._emit(SpanEvent("waiting", waited, node.name))
                # the context carries the flow that a reporter may run in
                context = contextvars.copy_context()
                with uninterrupted():  # a stage that has started must be waited for
                    work = partial(self._work, node)
                    future = threads.submit(context.run, self._reporter.perform, node, work)
                    self._running[future] = node
                    self._waiting.remove(node)

    def _fits(self, node: StageNode) -> bool:
        busy = [other for other in self._running.values() if other.name not in self._unchanged]
        if node.name in self._unchanged or not busy:
            return True
        if node.exclusive or any(other.exclusive for other in busy):
            return False
        threads = sum(other.threads for other in busy) + node.threads
        return len(busy) < self._workers and threads <= self._cores

    def _work(self, node: StageNode, on_line: OnLine) -> Outcome:
        self._emit(StageEvent(node.name, StageState.RUNNING))
        with stage_log(self._logs, node.name) as write:

            def both(line: str) -> None:
                if node.name not in self._unchanged:
                    write(line)
                on_line(line)

            begun = time.monotonic()
            try:
                is_cancelled = self._cancelled.is_set
                outcome = self._engine.bring_up_to_date(node.name, both, is_cancelled)
            except KdTasksError as error:
                outcome = Outcome(StageState.FAILED, message=str(error))
            except Exception as error:
                outcome = _failure(node, error)
            outcome = outcome._replace(seconds=time.monotonic() - begun)
        self._record(node, outcome)
        return outcome

    def _collect(self) -> None:
        done, _ = wait(self._running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            node = self._running[future]
            error = future.exception()  # of the reporter
            outcome = _failure(node, error) if error else future.result()
            self._outcomes[node.name] = outcome
            del self._running[future]
            if outcome.is_up_to_date:
                continue
            because = Outcome(StageState.SKIPPED, message=f"it needs {node.name}")
            if outcome.state is StageState.CANCELLED:
                because = Outcome(StageState.CANCELLED, message=STOPPED)
            for other in list(self._waiting):
                if other.name in self._graph.dependants[node.name]:
                    self._waiting.remove(other)
                    self._skip(other, because)

    def _skip(self, node: StageNode, outcome: Outcome) -> None:
        self._outcomes[node.name] = outcome
        self._record(node, outcome)
        self._reporter.skip(node, outcome)

    def _record(self, node: StageNode, outcome: Outcome) -> None:
        if outcome.state is StageState.FAILED:
            self._emit(MessageEvent("failed", outcome.message))
        self._emit(StageEvent(node.name, outcome.state, round(outcome.seconds, 3)))

    def _emit(self, event: Event) -> None:
        if self._events:
            emit(event, self._events)


def _failure(node: StageNode, error: BaseException) -> Outcome:
    return Outcome(StageState.FAILED, message=f"stage {node.name}: {type(error).__name__}: {error}")
