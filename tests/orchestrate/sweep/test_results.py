"""The figures of a point: read where it ran, kept for the same inputs only."""

from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import KdTasksError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.processor import read_processor
from kdtasks.core.records.data import Labels
from kdtasks.core.records.training import Training
from kdtasks.orchestrate.sweep.grid import make_points, parse_grid
from kdtasks.orchestrate.sweep.results import PointResult, keep_result, kept_result
from kdtasks.params import Params
from tests.tools.records import comparison, judged_by, training

RESULT = PointResult(
    student={0: 0.9, 1: 0.91},
    distilled={0: 0.92, 1: 0.93},
    validation={0: 0.8, 1: 0.81},
    teacher=0.97,
    rows=360,
    bootstrap=(-0.01, 0.03),
    labels=900,
    processors=(read_processor().kind,),
)


@pytest.fixture
def params(project: Path) -> Params:
    """Params of a point with two seeds."""
    grid = parse_grid(["distill.alpha=0.5"])
    return make_points(project, grid, seeds=range(2), stages=())[0].params


def write_metrics(project: Path, *trained: Training, **teacher: Any) -> None:
    paths = ProjectPaths(project)
    comparison({0: 0.9, 1: 0.91}, {0: 0.92, 1: 0.93}, **teacher).write(paths.metrics("compare"))
    Labels(train=900, hidden=0, by_class={}, unlabelled=0, validation=100, calibration=100).write(
        paths.metrics("labels")
    )
    for seed, record in enumerate(trained):
        record.write(paths.metrics("distill", seed))


def test_scores_are_read_as_the_stages_write_them(project: Path, params: Params):
    write_metrics(project, training(0.5, 0.8), training(0.5, 0.81))
    assert PointResult.read(project, params) == RESULT


def test_another_metric_compares_in_the_place_of_accuracy(project: Path, params: Params):
    trained = [training(0.95, macro_f1=(0.6 + 0.01 * seed,)) for seed in range(2)]
    write_metrics(project, *trained, macro_f1=0.7)
    result = PointResult.read(project, judged_by(params, "macro_f1"))
    assert result.teacher == 0.7
    assert result.validation == {0: 0.6, 1: 0.61}


def test_figures_that_are_missing_are_refused(project: Path, params: Params):
    with pytest.raises(KdTasksError, match=r"metrics/compare\.json not found; run `dvc repro`"):
        PointResult.read(project, params)


def test_a_result_is_kept_for_its_inputs(tmp_path: Path):
    path = tmp_path / "results" / "point.json"
    assert kept_result(path, "these", PointResult) is None
    keep_result(path, "these", RESULT)
    assert kept_result(path, "these", PointResult) == RESULT
    assert kept_result(path, "others", PointResult) is None


@pytest.mark.parametrize("text", ["", "[]", '{"inputs": "these", "result": {"rows": 3}}', "\xff"])
def test_a_damaged_result_is_none(tmp_path: Path, text: str):
    path = tmp_path / "point.json"
    path.write_bytes(text.encode("latin-1"))
    assert kept_result(path, "these", PointResult) is None
