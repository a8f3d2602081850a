"""What dvc.yaml makes of one point's params: stages, what each rests on, and outside inputs."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kdtasks.core.errors import ProjectError, did_you_mean
from kdtasks.core.paths import PARAMS
from kdtasks.orchestrate.project.lockfile import overlaps

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage


class PlannedStage(NamedTuple):
    """One stage of a point."""

    name: str
    needs: tuple[str, ...]
    identity: str  # equal for two points if it does the same work in both
    threads: int
    is_exclusive: bool  # nothing may run beside it


class Pipeline(NamedTuple):
    """The stages that a point runs, after those that they need."""

    stages: dict[str, PlannedStage]
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
        chosen: dict[str, Stage] = {}
        for target in targets:
            for stage in _find(repo, target):
                _collect(stage, graph, chosen)
        planned: dict[str, PlannedStage] = {}
        for name, stage in chosen.items():
            needs = tuple(sorted(needed.addressing for needed in graph.successors(stage)))
            planned[name] = PlannedStage(
                name,
                needs,
                _identity(stage, [planned[need].identity for need in needs], params_text),
                int((stage.meta or {}).get("threads", 1)),
                bool((stage.meta or {}).get("exclusive", False)),
            )
        outputs = {_relative(out, folder) for stage in repo.index.stages for out in stage.outs}
        commands = {out for stage in repo.index.stages if stage.cmd for out in stage.outs}
        written = {_relative(out, folder) for out in commands}
        reads = {_relative(dep, folder) for stage in chosen.values() for dep in _files(stage)}
        # data under DVC's care is an output of a stage without a command
        held = {_relative(o, folder) for s in chosen.values() if not s.cmd for o in s.outs}
        sources = {
            path for path in reads | held if not any(overlaps(path, other) for other in written)
        }
    return Pipeline(planned, frozenset(sources), frozenset(outputs))


@contextmanager
def open_repository(folder: Path) -> Iterator["Repo"]:
    """DVC's view of a folder, its errors as this project's."""
    import logging

    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with Repo(str(folder)) as repo:
            yield repo
    except DvcException as error:
        raise ProjectError(" ".join(str(error).split())) from None


def _find(repo: "Repo", target: str) -> list["Stage"]:
    """The stages of a name; of a matrix stage all."""
    from dvc.stage.exceptions import StageNotFound

    try:
        return list(repo.stage.collect(target))
    except StageNotFound as error:
        names = sorted({stage.addressing.partition("@")[0] for stage in repo.index.stages})
        raise ProjectError(f"{error}{did_you_mean(target, names)}") from None


def _collect(stage: "Stage", graph: Any, chosen: dict[str, "Stage"]) -> None:
    if stage.addressing not in chosen:
        for needed in sorted(graph.successors(stage), key=lambda other: other.addressing):
            _collect(needed, graph, chosen)
        chosen[stage.addressing] = stage


def _files(stage: "Stage") -> list[Any]:
    from dvc.dependency.param import ParamsDependency

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
    from dvc.dependency.param import ParamsDependency

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
