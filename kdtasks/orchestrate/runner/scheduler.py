"""Decide which stage runs when: as soon as what it needs is there and a core is free for it."""

import contextvars
import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from kdtasks.orchestrate.processes import uninterrupted
from kdtasks.orchestrate.runner.engine import Engine
from kdtasks.orchestrate.runner.graph import (
    OnLine,
    Outcome,
    Reporter,
    StageGraph,
    StageNode,
    State,
    stage_log,
)

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
        engine: Engine,
        reporter: Reporter,
        *,
        workers: int,
        cores: int,
        logs: Path,
    ) -> None:
        """Arguments: `workers` stages run at once at most; `logs` is a folder for their output."""
        self._graph, self._engine, self._reporter = graph, engine, reporter
        self._workers, self._cores, self._logs = workers, cores, logs
        self._cancelled = threading.Event()
        self._outcomes: dict[str, Outcome] = {}
        self._running: dict[Future[Outcome], StageNode] = {}
        self._unchanged: frozenset[str] = frozenset()
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
                        self._start_what_can(threads)
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
                    self._leave_out(node, Outcome(State.CANCELLED, message=STOPPED))
            self._reporter.end(self._outcomes)
        return {name: self._outcomes[name] for name in self._graph.nodes}

    def _start_what_can(self, threads: ThreadPoolExecutor) -> None:
        for node in list(self._waiting):
            if all(need in self._outcomes for need in node.needs) and self._fits(node):
                # the context carries the flow that a reporter may run in
                context = contextvars.copy_context()
                with uninterrupted():  # a stage that has started must be waited for
                    future = threads.submit(context.run, self._perform, node)
                    self._running[future] = node
                    self._waiting.remove(node)

    def _fits(self, node: StageNode) -> bool:
        if node.name in self._unchanged:
            return True
        busy = [other for other in self._running.values() if other.name not in self._unchanged]
        if not busy:
            return True
        if node.exclusive or any(other.exclusive for other in busy):
            return False
        threads = sum(other.threads for other in busy) + node.threads
        return len(busy) < self._workers and threads <= self._cores

    def _perform(self, node: StageNode) -> Outcome:
        return self._reporter.perform(node, partial(self._work, node))

    def _work(self, node: StageNode, on_line: OnLine) -> Outcome:
        try:
            return self._bring_up_to_date(node, on_line)
        except Exception as error:
            return Outcome(State.FAILED, message=_in_words(node, error))

    def _bring_up_to_date(self, node: StageNode, on_line: OnLine) -> Outcome:
        if node.name in self._unchanged:
            return self._engine.bring_up_to_date(node.name, on_line, self._cancelled.is_set)
        with stage_log(self._logs, node.name) as write:

            def both(line: str) -> None:
                write(line)
                on_line(line)

            return self._engine.bring_up_to_date(node.name, both, self._cancelled.is_set)

    def _collect(self) -> None:
        done, _ = wait(self._running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            node = self._running[future]
            error = future.exception()
            if error:  # of the reporter
                self._outcomes[node.name] = Outcome(State.FAILED, message=_in_words(node, error))
            else:
                self._outcomes[node.name] = future.result()
            del self._running[future]
            if not self._outcomes[node.name].is_up_to_date:
                self._leave_out_dependants(node)

    def _leave_out_dependants(self, failed: StageNode) -> None:
        because = self._outcomes[failed.name].state
        for node in list(self._waiting):
            if node.name in self._graph.dependants[failed.name]:
                self._waiting.remove(node)
                if because is State.CANCELLED:
                    outcome = Outcome(State.CANCELLED, message=STOPPED)
                else:
                    outcome = Outcome(State.SKIPPED, message=f"it needs {failed.name}")
                self._leave_out(node, outcome)

    def _leave_out(self, node: StageNode, outcome: Outcome) -> None:
        self._outcomes[node.name] = outcome
        self._reporter.leave_out(node, outcome)


def _in_words(node: StageNode, error: BaseException) -> str:
    return f"stage {node.name}: {type(error).__name__}: {error}"
