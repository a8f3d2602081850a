"""Read the graph of stages from DVC, so that it is written down in dvc.yaml alone."""

from pathlib import Path
from typing import NamedTuple


class StageGraph(NamedTuple):
    """The stages of a project and what each waits for."""

    stages: tuple[str, ...]  # each after all that it depends on; ties in alphabetical order
    dependencies: dict[str, tuple[str, ...]]  # of every stage: the stages it needs directly


def read_graph(root: Path) -> StageGraph:
    """Read stages (matrix stages one by one, as `student@0`) and edges from dvc.yaml and *.dvc.

    Arguments:
        root: the folder of the DVC repository.

    Raises:
        dvc.exceptions.DvcException: the files are not valid, or the stages form a circle.
    """
    from dvc.repo import Repo  # half a second
    from networkx import lexicographical_topological_sort

    with Repo(str(root)) as repo:
        graph = repo.index.graph  # an edge leads from a stage to one that it depends on
        dependencies = {
            stage.addressing: tuple(sorted(needed.addressing for needed in graph.successors(stage)))
            for stage in graph
        }
        ordered = lexicographical_topological_sort(
            graph.reverse(), key=lambda stage: str(stage.addressing)
        )
        stages = tuple(str(stage.addressing) for stage in ordered)
    return StageGraph(stages, {stage: dependencies[stage] for stage in stages})
