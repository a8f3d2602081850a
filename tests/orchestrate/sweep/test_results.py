"""The figures of a point: read where it ran, kept for the same inputs only."""

import json
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import StageError
from kdtasks.orchestrate.sweep.grid import make_points, parse_grid
from kdtasks.orchestrate.sweep.results import PointResult, keep_result, kept_result
from kdtasks.params import Params, load_params

RESULT = PointResult(
    student={0: 0.9, 1: 0.91},
    distilled={0: 0.92, 1: 0.93},
    validation={0: 0.8, 1: 0.81},
    teacher=0.97,
    rows=360,
    bootstrap=(-0.01, 0.03),
)


@pytest.fixture
def params(project: Path) -> Params:
    """Params of a point with two seeds."""
    grid = parse_grid(["distill.alpha=0.5"])
    return make_points(project, grid, seeds=range(2), stages=())[0].params


def write_metrics(project: Path, compare: Any) -> None:
    (project / "metrics/distill").mkdir(parents=True, exist_ok=True)
    (project / "metrics/compare.json").write_text(json.dumps(compare), encoding="utf-8")
    for seed in range(2):
        metrics = {"validation": {"accuracy": [0.5, 0.8 + 0.01 * seed]}}
        path = project / f"metrics/distill/{seed}.json"
        path.write_text(json.dumps(metrics), encoding="utf-8")


COMPARE = {
    "student": {"by_seed": {"0": 0.9, "1": 0.91}},
    "distill": {"by_seed": {"0": 0.92, "1": 0.93}},
    "teacher": {"accuracy": 0.97},
    "rows": 360,
    "gain": {"bootstrap_interval": [-0.01, 0.03]},
}


def test_figures_are_read_as_the_stages_write_them(project: Path, params: Params):
    write_metrics(project, COMPARE)
    assert PointResult.read(project, params) == RESULT


def test_masks_are_compared_by_their_mean_iou(project: Path):
    params = load_params(Path(__file__).parents[3] / "recipes" / "unet-aerial.yaml")
    params = params.model_copy(update={"seeds": (0, 1)})
    write_metrics(project, {**COMPARE, "teacher": {"accuracy": 0.97, "mean_iou": 0.7}})
    for seed in range(2):
        metrics = {"validation": {"accuracy": [0.95], "mean_iou": [0.6 + 0.01 * seed]}}
        path = project / f"metrics/distill/{seed}.json"
        path.write_text(json.dumps(metrics), encoding="utf-8")
    result = PointResult.read(project, params)
    assert result.teacher == 0.7
    assert result.validation == {0: 0.6, 1: 0.61}


@pytest.mark.parametrize(
    "compare",
    [{**COMPARE, "student": {"by_seed": {"0": 0.9}}}, {"rows": 3}, {**COMPARE, "gain": None}],
)
def test_figures_that_are_incomplete_are_refused(project: Path, params: Params, compare: Any):
    write_metrics(project, compare)
    with pytest.raises(StageError, match=r"not as docs/files.md has it"):
        PointResult.read(project, params)


def test_figures_that_are_missing_are_refused(project: Path, params: Params):
    with pytest.raises(StageError, match=r"nothing to compare: metrics/compare.json is not there"):
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
