"""The stages of a run and what each of them waits for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class StageNode:
    """One stage; a matrix stage is several, as `student@0`."""

    name: str
    needs: tuple[str, ...] = ()  # the stages of this run that it reads from
    description: str = ""
    threads: int = 1  # what its command uses at once: `meta: {threads: …}` in dvc.yaml
    exclusive: bool = False  # nothing may run beside it: `meta: {exclusive: true}`
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
        found: dict[str, frozenset[str]] = {}
        for name in reversed(list(self.nodes)):
            direct = [other for other, node in self.nodes.items() if name in node.needs]
            found[name] = frozenset(direct).union(*(found[other] for other in direct))
        return found
