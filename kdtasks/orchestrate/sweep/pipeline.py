"""What dvc.yaml makes of one point's params: stages, what each rests on, and outside inputs."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.repo.reproduce import plan_repro

from kdtasks.core.paths import PARAMS
from kdtasks.orchestrate.project.git import WorkingTree, read_working_tree
from kdtasks.orchestrate.project.lockfile import overlaps
from kdtasks.orchestrate.runner.dvc_files import find_stages, readable_errors, stage_node
from kdtasks.orchestrate.runner.graph import StageNode

if TYPE_CHECKING:
    from dvc.stage import Stage


class Pipeline(NamedTuple):
    """The stages that a point runs, after those that they need."""

    stages: dict[str, StageNode]
    identities: dict[str, str]  # of every stage: equal for two points if it does the same in both
    sources: frozenset[str]  # paths that stages read and none writes, relative to the project
    outputs: frozenset[str]


def read_pipeline(folder: Path, targets: Sequence[str]) -> Pipeline:
    """Read dvc.yaml in a project's folder, with the params that are there.

    Args:
        targets: stages that a point needs, with all that they need.

    Raises:
        ProjectError: a target does not exist, or dvc.yaml is not valid.
    """
    params_text = (folder / PARAMS).read_text(encoding="utf-8")
    # DVC names stages as seen from the current folder
    with chdir(folder), open_repository(folder) as repo:
        graph = repo.index.graph
        chosen = {it.addressing: it for it in plan_repro(graph, find_stages(repo, targets))}
        nodes: dict[str, StageNode] = {}
        identities: dict[str, str] = {}
        for name, stage in chosen.items():
            needs = tuple(sorted(needed.addressing for needed in graph.successors(stage)))
            nodes[name] = stage_node(stage, needs)
            identities[name] = _identity(stage, [identities[need] for need in needs], params_text)
        outputs, written, reads = set[str](), set[str](), set[str]()
        for stage in repo.index.stages:
            paths = {_relative(out, folder) for out in stage.outs}
            outputs |= paths
            if stage.cmd:
                written |= paths
            elif stage.addressing in chosen:  # data under DVC's care
                reads |= paths
        reads |= {_relative(dep, folder) for stage in chosen.values() for dep in _files(stage)}
    sources = {path for path in reads if not any(overlaps(path, other) for other in written)}
    return Pipeline(nodes, identities, frozenset(sources), frozenset(outputs))


def read_tree(repo: Repo, *pipelines: Pipeline) -> WorkingTree:
    """A project as it is now, for clones in which some pipelines run."""
    project = Path(repo.root_dir)
    return read_working_tree(
        project,
        reads=frozenset[str]().union(*(it.sources for it in pipelines)),
        outputs=frozenset[str]().union(*(it.outputs for it in pipelines)),
        is_ignored=lambda name: repo.dvcignore.is_ignored_file(str(project / name)),
    )


@contextmanager
def open_repository(folder: Path) -> Iterator[Repo]:
    """DVC's view of a folder, its errors as this project's."""
    logging.getLogger("dvc").setLevel(logging.WARNING)
    with readable_errors(), Repo(str(folder)) as repo:
        yield repo


def _files(stage: "Stage") -> list[Any]:
    return [
        dep
        for dep in stage.deps
        if dep.protocol == "local" and not isinstance(dep, ParamsDependency)
    ]


def _relative(path: Any, folder: Path) -> str:
    """The path of an input or output as seen from the project, or absolute as dvc.yaml has it."""
    is_absolute = Path(path.def_path).is_absolute()
    return str(path.def_path) if is_absolute else os.path.relpath(path.fs_path, folder)


def _identity(stage: "Stage", below: Sequence[str], params_text: str) -> str:
    params = [dep.read_params() for dep in stage.deps if isinstance(dep, ParamsDependency)]
    reads = sorted(str(dep.def_path) for dep in _files(stage))
    content = {
        "name": stage.addressing,
        "cmd": stage.cmd,
        "params": params,
        "reads": reads,
        "writes": sorted(str(out.def_path) for out in stage.outs),
        "below": list(below),
        "text": params_text if PARAMS in reads else None,
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
