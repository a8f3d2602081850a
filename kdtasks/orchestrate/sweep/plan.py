"""What a sweep has to do: its points, what is done already, what is shared, what runs at once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from kdtasks.core.errors import SweepError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records.data import NO_LABELS
from kdtasks.orchestrate.processes import usable_cores
from kdtasks.orchestrate.project.clone import make_clone, project_in, remove_clone
from kdtasks.orchestrate.project.git import WorkingTree, last_commit, saved_experiments
from kdtasks.orchestrate.project.project import check_workspace
from kdtasks.orchestrate.runner.graph import StageGraph
from kdtasks.orchestrate.sweep.grid import Grid, ParamsFile, Point, make_points, parse_grid
from kdtasks.orchestrate.sweep.jobs import Capacity, Job, make_jobs
from kdtasks.orchestrate.sweep.pipeline import (
    Pipeline,
    open_repository,
    read_blueprint,
    read_tree,
)
from kdtasks.orchestrate.sweep.results import PointResult, R, kept_result
from kdtasks.params import load_project_params
from kdtasks.params.tune import fresh_seeds

FOLDER = ProjectPaths().sweep  # clones, logs, results; below the project's folder
COMPARE_STAGE = "compare"  # writes what points are compared by


@dataclass(frozen=True)
class SweepOptions:
    """What to sweep over, and how."""

    settings: tuple[str, ...]  # as distill.alpha=0,0.1,0.5
    seeds: int | None = None  # the first so many that did not tune; None for the project's
    workers: int | None = None  # most points at once; None for as many as there is room for
    stages: tuple[str, ...] = ()  # to be run besides `compare`
    cluster: str | None = None  # address of Dask's scheduler, or local:N


@dataclass(frozen=True)
class SweepPlan(Generic[R]):
    """All that is known before anything runs."""

    project: Path
    grid: Grid
    points: tuple[Point, ...]
    tree: WorkingTree
    state: str  # of the project; clones bear it
    inputs: Mapping[str, str]  # a hash of the files, commands and params of a result, by experiment
    cache: str  # the folder of the project's DVC cache
    kind: type[R]  # of the results
    done: Mapping[str, R]  # of earlier runs of this sweep, by experiment
    graph: StageGraph  # of points, by their labels, and of what they share
    jobs: Mapping[str, Job]  # by name of the node
    workers: int  # points at once
    cores: int
    note: str | None  # where less can run at once than was asked for
    uses_tensorflow: bool  # and times nothing
    where: str = ""  # the cluster that it runs on; empty for this machine

    def project_folder(self, name: str) -> Path:
        """The project's folder in the clone of a node of the graph."""
        return project_in(clone_path(self.project, self.jobs[name].clone), self.tree)


def plan_sweep(project: Path, options: SweepOptions) -> SweepPlan[PointResult]:
    """Validate every point and find out what there is to do. Nothing runs.

    Raises:
        ParamsError: the params of a point are not valid.
        SweepError: the grid or an option makes no sense.
        ProjectError: git or DVC cannot do their part, or a stage does not exist.
    """
    for name, value in (("--seeds", options.seeds), ("--workers", options.workers)):
        if value is not None and value < 1:
            raise SweepError(f"{name} is {value}, expected 1 or more")
    grid = parse_grid(options.settings)
    stages = tuple(dict.fromkeys([COMPARE_STAGE, *options.stages]))
    check_workspace(project)
    last_commit(project)
    used = load_project_params(project).tune.seeds
    seeds = None if options.seeds is None else fresh_seeds(range(options.seeds), used)
    points = make_points(project, grid, seeds=seeds, stages=stages)
    for point in points:
        if not point.params.labels_seen:
            raise SweepError(
                f"{point.label}: {NO_LABELS}, and that is what points are compared by; leave out "
                "data.train_labels=0, or `kdtasks run` it"
            )
    return plan_points(project, grid, points, stages, kind=PointResult, workers=options.workers)


def plan_points(
    project: Path,
    grid: Grid,
    points: list[Point],
    stages: tuple[str, ...],
    *,
    kind: type[R],
    workers: int | None,
) -> SweepPlan[R]:
    """Find out what there is to do at some points. Nothing runs.

    Args:
        stages: what every point runs, with all that they need.
        kind: of the results that are read and kept.
        workers: most points at once; None for as many as there is room for.

    Raises:
        ProjectError: git or DVC cannot do their part, or a stage does not exist.
    """
    pipelines, tree, cache = _read_pipelines(project, points, stages)
    files = tree.inputs()
    inputs = {
        name: hashlib.sha256(
            "".join([files, *sorted(pipeline.identities.values())]).encode()
        ).hexdigest()
        for name, pipeline in pipelines.items()
    }
    saved = saved_experiments(project, tree.head)
    done = {
        point.experiment: result
        for point in points
        if point.experiment in saved
        and (result := kept_result(result_path(project, point), inputs[point.experiment], kind))
    }
    capacity = Capacity.of(pipelines, usable_cores())
    at_once = capacity.points(workers, len(points) - len(done))
    graph, jobs = make_jobs(
        grid, points, pipelines, done, stages, capacity=capacity, workers=at_once
    )
    return SweepPlan(
        project,
        grid,
        tuple(points),
        tree,
        tree.state(),
        inputs,
        cache,
        kind,
        done,
        graph,
        jobs,
        at_once,
        capacity.cores,
        capacity.note(workers),
        capacity.uses_tensorflow and not capacity.is_exclusive,
    )


def result_path(project: Path, point: Point) -> Path:
    """Where the result of a point is kept."""
    return project / FOLDER / "results" / f"{point.experiment}.json"


def clone_path(project: Path, name: str) -> Path:
    """Where a clone is while its stages run."""
    return project / FOLDER / "clones" / name


def sweep_folder(project: Path) -> Path:
    """The folder that the clones are in; git leaves it alone, whatever .gitignore says."""
    folder = project / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder


def _read_pipelines(
    project: Path, points: list[Point], stages: tuple[str, ...]
) -> tuple[dict[str, Pipeline], WorkingTree, str]:
    """The stages of every point, by experiment; the project's state; the cache's folder."""
    text = ProjectPaths(project).params.read_text(encoding="utf-8")
    own = read_blueprint(project, stages)
    blueprints = {own.shape(ParamsFile(text).plain): own}
    sweep_folder(project)
    probe = clone_path(project, "plan")
    with open_repository(project) as repo:
        cache = repo.cache.local_cache_dir
        # to be read only, so the data can stay where they are
        bare = read_tree(repo, own)._replace(sources=())
        remove_clone(probe)
        try:
            pipelines = {}
            for point in points:
                shape = own.shape(point.draft.content)
                if shape not in blueprints:
                    place = make_clone(bare, probe, params_text="", cache=cache, mark="plan")
                    ProjectPaths(place).params.write_text(point.text, encoding="utf-8")
                    blueprints[shape] = read_blueprint(place, stages)
                pipelines[point.experiment] = blueprints[shape].pipeline(point.draft.content)
        finally:
            remove_clone(probe)
        return pipelines, read_tree(repo, *blueprints.values()), cache
