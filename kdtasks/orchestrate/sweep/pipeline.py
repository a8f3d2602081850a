"""What dvc.yaml makes of one point's params: stages, what each rests on, and outside inputs."""

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.repo.reproduce import plan_repro

from kdtasks.core.paths import PARAMS, ProjectPaths
from kdtasks.orchestrate.project.git import WorkingTree, read_working_tree
from kdtasks.orchestrate.project.lockfile import overlaps
from kdtasks.orchestrate.runner.dvc_files import find_stages, readable_errors, stage_node
from kdtasks.orchestrate.runner.graph import StageNode
from kdtasks.orchestrate.sweep.grid import ParamsFile

if TYPE_CHECKING:
    from dvc.stage import Stage


class Pipeline(NamedTuple):
    """The stages that a point runs, after those that they need."""

    stages: dict[str, StageNode]
    identities: dict[str, str]  # of every stage: equal for two points if it does the same in both
    sources: frozenset[str]  # paths that stages read and none writes, relative to the project
    outputs: frozenset[str]


class StageWork(NamedTuple):
    """What a stage does, but for the values of params.yaml that it depends on."""

    about: str  # a hash of its command, what it reads and writes, params of other files
    keys: tuple[str, ...]  # of params.yaml
    reads_all: bool  # of params.yaml, which is one of its files
    needs: tuple[str, ...]


class Blueprint(NamedTuple):
    """The pipeline of all points for which the variables of dvc.yaml have the same values."""

    stages: dict[str, StageNode]
    work: dict[str, StageWork]  # of every stage
    sources: frozenset[str]
    outputs: frozenset[str]
    variables: tuple[str, ...]  # keys of params.yaml that stand in dvc.yaml as ${key}

    def shape(self, params: Mapping[str, Any]) -> str:
        """The values of the variables in the content of a params.yaml, as JSON."""
        return _json([_value(params, key) for key in self.variables])

    def pipeline(self, params: Mapping[str, Any]) -> Pipeline:
        """The pipeline of a point with this content of params.yaml, of the blueprint's shape."""
        identities: dict[str, str] = {}
        for name, work in self.work.items():
            values = params if work.reads_all else {key: _value(params, key) for key in work.keys}
            below = [identities[need] for need in work.needs]
            identities[name] = _hash_of([work.about, values, below])
        return Pipeline(self.stages, identities, self.sources, self.outputs)


def read_blueprint(folder: Path, targets: Sequence[str]) -> Blueprint:
    """Read dvc.yaml in a project's folder, with the params that are there.

    Args:
        targets: stages that a point needs, with all that they need.

    Raises:
        ProjectError: a target does not exist, or dvc.yaml is not valid.
    """
    # DVC names stages as seen from the current folder
    with chdir(folder), open_repository(folder) as repo:
        graph = repo.index.graph
        chosen = {
            stage.addressing: stage for stage in plan_repro(graph, find_stages(repo, targets))
        }
        nodes: dict[str, StageNode] = {}
        work: dict[str, StageWork] = {}
        for name, stage in chosen.items():
            needs = tuple(sorted(needed.addressing for needed in graph.successors(stage)))
            nodes[name] = stage_node(stage, needs)
            work[name] = _work(stage, needs, folder / PARAMS)
        outputs, written, reads = set[str](), set[str](), set[str]()
        for stage in repo.index.stages:
            paths = {_relative(out, folder) for out in stage.outs}
            outputs |= paths
            if stage.cmd:
                written |= paths
            elif stage.addressing in chosen:  # data under DVC's care
                reads |= paths
        reads |= {_relative(dep, folder) for stage in chosen.values() for dep in _files(stage)}
        files = {Path(stage.path).read_text(encoding="utf-8") for stage in repo.index.stages}
    sources = {path for path in reads if not any(overlaps(path, other) for other in written)}
    variables = {name for text in files for name in re.findall(r"\$\{\s*([\w.-]+)", text)}
    return Blueprint(nodes, work, frozenset(sources), frozenset(outputs), tuple(sorted(variables)))


def read_pipeline(folder: Path, targets: Sequence[str]) -> Pipeline:
    """The pipeline of the params that are in a project's folder; raises as `read_blueprint`."""
    text = (folder / PARAMS).read_text(encoding="utf-8")
    return read_blueprint(folder, targets).pipeline(ParamsFile(text).plain)


def read_tree(repo: Repo, *pipelines: Pipeline | Blueprint) -> WorkingTree:
    """A project as it is now, for clones in which some pipelines run."""
    project = Path(repo.root_dir)
    return read_working_tree(
        project,
        reads=frozenset[str]().union(*(pipeline.sources for pipeline in pipelines)),
        outputs=frozenset[str]().union(*(pipeline.outputs for pipeline in pipelines)),
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


def _work(stage: "Stage", needs: tuple[str, ...], params_file: Path) -> StageWork:
    params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    own = [dep for dep in params if Path(dep.fs_path) == params_file]
    reads = sorted(str(dep.def_path) for dep in _files(stage))
    about = {
        "name": stage.addressing,
        "cmd": stage.cmd,
        "params": [dep.read_params() for dep in params if dep not in own],
        "reads": reads,
        "writes": sorted(str(out.def_path) for out in stage.outs),
    }
    keys = sorted(key for dep in own for key in dep.params)
    if str(ProjectPaths().code) in about["writes"]:
        keys = []  # a stage's list of code depends on params of that stage alone
    reads_all = PARAMS in reads or any(not dep.params for dep in own)
    return StageWork(_hash_of(about), tuple(keys), reads_all, needs)


def _value(params: Mapping[str, Any], key: str) -> Any:
    """What stands under a dotted key, or as much of the way there as a mapping has."""
    first, *others = key.split(".")
    value = params.get(first)
    for name in others:
        if not isinstance(value, Mapping) or name not in value:
            break
        value = value[name]
    return value


def _hash_of(content: Any) -> str:
    return hashlib.sha256(_json(content).encode()).hexdigest()


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True, default=str)
