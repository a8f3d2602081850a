"""What runs at once, and what waits for what."""

import shutil
from collections.abc import Collection
from pathlib import Path

import pytest

from kdtasks.orchestrate.runner.graph import StageGraph
from kdtasks.orchestrate.sweep.grid import Point, make_points, parse_grid
from kdtasks.orchestrate.sweep.jobs import Capacity, Job, make_jobs
from kdtasks.orchestrate.sweep.pipeline import Pipeline, read_pipeline

STAGES = ("compare",)


def read(project: Path, *settings: str) -> tuple[list[Point], dict[str, Pipeline]]:
    points = make_points(project, parse_grid(settings), seeds=range(1), stages=STAGES)
    pipelines = {}
    for point in points:
        (project / "params.yaml").write_text(point.text, encoding="utf-8")
        pipelines[point.experiment] = read_pipeline(project, STAGES)
    return points, pipelines


def jobs_of(
    settings: tuple[str, ...],
    points: list[Point],
    pipelines: dict[str, Pipeline],
    done: Collection[str] = (),
    workers: int = 1,
) -> tuple[StageGraph, dict[str, Job]]:
    """On two cores."""
    grid, capacity = parse_grid(settings), Capacity(2, 1, False)
    return make_jobs(grid, points, pipelines, done, STAGES, capacity=capacity, workers=workers)


@pytest.mark.parametrize(
    ("capacity", "asked", "left", "points"),
    [
        (Capacity(8, 1, False), None, 20, 8),
        (Capacity(8, 1, False), None, 3, 3),
        (Capacity(8, 1, False), 2, 20, 2),
        (Capacity(8, 3, False), None, 20, 2),  # two stages of three threads on eight cores
        (Capacity(2, 4, False), None, 20, 1),  # one alone may be wider than the machine
        (Capacity(8, 1, True), None, 20, 1),
        (Capacity(8, 1, False), None, 0, 1),
    ],
)
def test_points_at_once_fit_the_cores(
    capacity: Capacity, asked: int | None, left: int, points: int
):
    assert capacity.points(asked, left) == points


def test_what_does_not_fit_is_said():
    assert Capacity(8, 2, False).note(4) is None
    assert Capacity(8, 2, False).note(None) is None
    assert "--workers 5: the cores have room for 4" in (Capacity(8, 2, False).note(5) or "")
    assert "measures time" in (Capacity(8, 2, True).note(2) or "")


def test_threads_come_from_dvc_yaml(project: Path):
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(text.replace("threads: 1", "threads: 2", 1))
    _, pipelines = read(project, "distill.alpha=0.1,0.5", "runtime.threads=2,4")
    assert Capacity.of(pipelines, 16) == Capacity(16, 4, False)


@pytest.mark.parametrize("cores", [1, 5, 16])
@pytest.mark.parametrize("workers", [1, 4])
def test_points_share_the_cores(project: Path, cores: int, workers: int):
    settings = ("distill.alpha=0.1,0.5", "distill.temperature=3,6")
    points, pipelines = read(project, *settings)
    capacity = Capacity.of(pipelines, cores)
    at_once = capacity.points(workers, len(points))
    graph, jobs = make_jobs(
        parse_grid(settings), points, pipelines, (), STAGES, capacity=capacity, workers=at_once
    )
    shared = "shared by all points"
    assert list(graph.nodes) == [shared, *(point.label for point in points)]
    assert jobs[shared].workers == cores  # alone, so it may use them all
    assert set(jobs[shared].stages) == {"prepare", "labels", "teacher", "student@0"}
    for point in points:
        job, node = jobs[point.label], graph.nodes[point.label]
        assert node.needs == (shared,)
        assert (job.stages, job.is_point) == (STAGES, True)
        assert node.threads == job.workers
        assert at_once * node.threads <= cores


def test_hiding_labels_trains_no_other_teacher(project: Path):
    """By the pipeline itself, of which this project has no more than the names."""
    shutil.copy(Path(__file__).parents[3] / "dvc.yaml", project)
    settings = ("data.train_labels=100,300,null",)
    points, pipelines = read(project, *settings)
    graph, jobs = jobs_of(settings, points, pipelines)
    shared = "shared by all points"
    assert list(graph.nodes) == [shared, *(point.label for point in points)]
    assert set(jobs[shared].stages) == {"code", "prepare", "teacher", "targets"}
    assert {"labels", "student@0", "distill@0"} <= set(pipelines[points[0].experiment].stages)
    assert all(graph.nodes[point.label].needs == (shared,) for point in points)


def test_points_that_are_done_share_nothing(project: Path):
    settings = ("distill.alpha=0.1,0.5,0.9",)
    points, pipelines = read(project, *settings)
    done = {point.experiment for point in points[:2]}
    graph, _ = jobs_of(settings, points, pipelines, done=done)
    assert list(graph.nodes) == [point.label for point in points]
    assert all(not node.needs for node in graph.nodes.values())


def test_what_some_points_share_is_named_after_it(project: Path):
    settings = ("student.learning_rate=0.001,0.01", "distill.alpha=0.1,0.5")
    points, pipelines = read(project, *settings)
    graph, jobs = jobs_of(settings, points, pipelines, workers=2)
    everyone, slow, fast = list(graph.nodes)[:3]
    assert everyone == "shared by all points"
    assert slow == "shared by 2 points with learning_rate=0.001"
    assert fast == "shared by 2 points with learning_rate=0.01"
    assert graph.nodes[slow].needs == (everyone,)
    assert graph.nodes[points[0].label].needs == (everyone, slow)
    assert len({job.clone for job in jobs.values()}) == len(jobs)
