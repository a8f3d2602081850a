"""The stages of a run and what each of them waits for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, Protocol

OnLine = Callable[[str], None]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True)
class StageNode:
    """One stage; a matrix stage is several, as `student@0`."""

    name: str
    needs: tuple[str, ...] = ()  # the stages of this run that it reads from
    description: str = ""
    threads: int = 1  # what its command uses at once: `meta: {threads: …}` in dvc.yaml
    exclusive: bool = False  # nothing may run beside it: `meta: {exclusive: true}`
    uses_tensorflow: bool = False
    metrics: tuple[str, ...] = ()  # files, relative to the project's folder
    plots: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageGraph:
    """Stages by name, in the order in which `dvc repro` runs them."""

    nodes: Mapping[str, StageNode] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: Iterable[StageNode]) -> "StageGraph":
        """Make a graph of nodes that come after all that they need."""
        return cls({node.name: node for node in nodes})

    @cached_property
    def dependants(self) -> dict[str, frozenset[str]]:
        """Of every stage, all that waits for it, directly or not."""
        waiting: dict[str, frozenset[str]] = {}
        for name in reversed(list(self.nodes)):
            direct = [other for other, node in self.nodes.items() if name in node.needs]
            waiting[name] = frozenset(direct).union(*(waiting[other] for other in direct))
        return waiting


class StageState(StrEnum):
    """Where a stage stands."""

    WAITING = "waiting"
    RUNNING = "running"
    CACHED = "cached"  # nothing it depends on has changed, its outputs are there
    RESTORED = "restored"  # its outputs came out of DVC's cache, from an earlier run
    PULLED = "pulled"  # its outputs came from the DVC remote
    COMPLETED = "completed"  # its command ran
    FAILED = "failed"
    SKIPPED = "skipped"  # something that it depends on failed
    CANCELLED = "cancelled"  # the run was stopped


UP_TO_DATE = ("cached", "restored", "pulled", "completed")


class Outcome(NamedTuple):
    """The end of one stage."""

    state: StageState
    digest: str = ""  # DVC's hash of its first output, where that is up to date
    seconds: float = 0.0
    message: str = ""  # why it failed or was skipped
    last_lines: tuple[str, ...] = ()  # of the output of a command that failed

    @property
    def is_up_to_date(self) -> bool:
        """Whether what depends on the stage can run."""
        return self.state in UP_TO_DATE

    def reason(self, name: str) -> str:
        """The message without the stage's own name before it, or else the state."""
        return self.message.removeprefix(f"{name}: ") or str(self.state)

    @property
    def text(self) -> str:
        """The message and, below it, the last lines."""
        if not self.last_lines:
            return self.message
        return "\n".join([f"{self.message}; its last lines:", *self.last_lines])


class RunObserver(Protocol):
    """Hears of a run: of `perform` in the stage's thread, of all else in the run's."""

    def begin(self, graph: StageGraph) -> None:
        """The run begins; every stage of the graph will end in `perform` or in `skip`."""

    def perform(self, node: StageNode, work: Callable[[OnLine], Outcome]) -> Outcome:
        """Do `work`, which takes a function that is given every line of the stage's output."""

    def skip(self, node: StageNode, outcome: Outcome) -> None:
        """A stage does not run, because of a failure or because the run was stopped."""

    def end(self, outcomes: Mapping[str, Outcome]) -> None:
        """The run has ended, well or not."""
