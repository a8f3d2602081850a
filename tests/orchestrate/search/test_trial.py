"""A trial's params, its figures, and the limits that it breaks."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from kdtasks.compress.tflite.estimated_latency import NotEstimatedError
from kdtasks.core.paths import ProjectPaths
from kdtasks.core.records import Record, Refusal
from kdtasks.core.records.calibration import Calibration, ValidationPoint
from kdtasks.core.records.training import Training
from kdtasks.orchestrate.search import trial as search_trial
from kdtasks.orchestrate.search.candidates import Candidate
from kdtasks.orchestrate.search.trial import (
    TrialResult,
    broken_limits,
    make_trial,
    time_bundle,
)
from kdtasks.orchestrate.sweep.grid import Point
from kdtasks.params.search import SearchParams
from tests.tools.records import compressed, judged_by, latency, parity, training

CANDIDATE = Candidate(
    "filters+int8, ratio 0.5", "filters+int8", {"compress.passes.filters.ratio": 0.5}, epochs=8
)
RESULT = TrialResult(
    accuracy=0.96,
    accuracy_drop=0.01,
    bytes=20_000,
    gzip_bytes=9_000,
    latency_ms=latency(0.2, worst=0.3),
    macs=0.5,
)


@pytest.fixture
def text(project: Path) -> str:
    return (project / "params.yaml").read_text(encoding="utf-8")


@pytest.fixture
def trial(text: str) -> Point:
    return make_trial(text, CANDIDATE)


def test_a_trial_is_the_project_with_one_variant(trial: Point):
    assert trial.params.compress.variants == ("filters+int8",)
    assert trial.params.compress.passes.filters.ratio == 0.5
    assert trial.experiment.startswith("search-filters+int8_ratio_0.5-")


def test_other_limits_are_no_other_trial(text: str, trial: Point):
    other = text.replace("max_size_kb: null", "max_size_kb: 20.0").replace(
        "objective: size", "objective: latency"
    )
    assert other != text
    assert make_trial(other, CANDIDATE).experiment == trial.experiment
    for old, new in (("alpha: 0.1", "alpha: 0.4"), ("grid: 201", "grid: 11")):
        other = text.replace(old, new)
        assert make_trial(other, CANDIDATE).experiment != trial.experiment


def test_a_trial_is_another_where_it_is_timed_elsewhere(text: str, trial: Point):
    listed = text.replace("devices: []", "devices: ['ssh://pi']")
    assert make_trial(listed, CANDIDATE).experiment == trial.experiment
    judged = listed.replace("device: null", "device: ssh://pi")
    assert make_trial(judged, CANDIDATE).experiment != trial.experiment


def write(project: Path, found: Record, student: Training, exits: Record) -> None:
    paths = ProjectPaths(project)
    found.write(paths.metrics("compress", "filters+int8"))
    student.write(paths.metrics("distill", 2))
    exits.write(paths.calibration("filters+int8"))


def calibration(accuracy: float, **others: float) -> Calibration:
    """Thresholds that come to these scores on the validation split."""
    return Calibration(
        mode="drop",
        score="max_probability",
        temperatures=(1.0, 1.0),
        thresholds=(0.9,),
        macs=(100, 250),
        validation=ValidationPoint(accuracy=accuracy, cost=0.6, **others),
    )


STUDENT = training(0.6, 0.97)
COMPRESSED = compressed(0.5, 0.97, base_seed=2, bytes=20_000, gzip_bytes=9_000, macs=(100, 250))


def test_scores_are_those_with_early_exits_against_the_student(project: Path, trial: Point):
    write(project, COMPRESSED, STUDENT, calibration(0.96))
    found = TrialResult.read(project, trial.params)
    assert found.accuracy_drop == pytest.approx(0.97 - 0.96)
    told = {"latency_ms": latency(0.5, worst=0.8), "macs": 0.25}
    assert found.model_copy(update={"accuracy_drop": 0.01}) == RESULT.model_copy(update=told)


def test_another_metric_judges_in_the_place_of_accuracy(project: Path, trial: Point):
    student = training(0.5, 0.97, balanced_accuracy=(0.2, 0.7))
    write(project, COMPRESSED, student, calibration(0.96, balanced_accuracy=0.6))
    found = TrialResult.read(project, judged_by(trial.params, "balanced_accuracy"))
    assert found.accuracy == 0.6
    assert found.accuracy_drop == pytest.approx(0.1)


def test_what_an_accelerator_leaves_to_the_processor_is_within_no_latency(
    project: Path, trial: Point, monkeypatch: pytest.MonkeyPatch
):
    def refuse(device: str, *given: object) -> None:
        assert device == "ethos-u55-128"
        raise NotEstimatedError("CONV_2D is left")

    monkeypatch.setattr(search_trial, "benchmark_at", refuse)
    prepared = SimpleNamespace(timed_images=lambda count: None)
    monkeypatch.setattr(search_trial, "open_prepared", lambda folder: prepared)
    select = trial.params.select.model_copy(update={"device": "ethos-u55-128"})
    params = trial.params.model_copy(update={"select": select})
    assert time_bundle(ProjectPaths(project), params, "float32") is None
    found = RESULT.model_copy(update={"latency_ms": None})
    (violation,) = broken_limits(found, SearchParams(max_latency_ms=1.0))
    assert violation.reason == "mean latency was not measured"


def test_a_refusal_is_a_result(project: Path, trial: Point):
    refusal = Refusal(refused="no filters")
    write(project, COMPRESSED, STUDENT, Refusal(refused="no threshold"))
    assert TrialResult.read(project, trial.params) == TrialResult(refused="no threshold")
    write(project, refusal, STUDENT, refusal)
    found = TrialResult.read(project, trial.params)
    assert found == TrialResult(refused="no filters")
    (violation,) = broken_limits(found, SearchParams())
    assert violation.reason == "refused: no filters"


def test_a_file_too_far_from_its_network_is_within_no_limits(project: Path, trial: Point):
    far = parity((0.02, 0.0), (0.5, 0.0))
    # calibration refuses such a file, for the same reason
    refusal = Refusal(refused="the file is too far from the float network")
    write(project, COMPRESSED.model_copy(update={"parity": far}), STUDENT, refusal)
    found = TrialResult.read(project, trial.params)
    assert found.refused is None
    (violation,) = broken_limits(found, SearchParams(max_accuracy_drop=0.02))
    assert "the logits of exit 2 of 2 are off by 50\u00a0%" in violation.reason
    assert violation.factor == float("inf")


@pytest.mark.parametrize(
    ("limits", "reasons"),
    [
        ({"max_size_kb": 20.0, "max_gzip_kb": 9.0, "max_latency_ms": 0.2, "max_macs": 0.5}, []),
        ({"max_size_kb": 19.0}, ["size, 20.0 kB, is over 19.0 kB (max_size_kb)"]),
        ({"max_gzip_kb": 8.0}, ["gzipped size, 9.0 kB, is over 8.0 kB (max_gzip_kb)"]),
        ({"max_latency_ms": 0.1}, ["mean latency, 0.20 ms, is over 0.10 ms (max_latency_ms)"]),
        (
            {"max_latency_ms": 0.2, "latency_statistic": "worst"},
            ["whole-network latency, 0.30 ms, is over 0.20 ms (max_latency_ms)"],
        ),
        (
            {"max_macs": 0.25, "max_accuracy_drop": 0.005},
            [
                "fraction of compute, 50.0 %, is over 25.0 % (max_macs)",
                "drop in validation accuracy, 1.0 points, is over 0.5 points (max_accuracy_drop)",
            ],
        ),
    ],
)
def test_limits_that_are_broken_are_said(limits, reasons):
    found = broken_limits(RESULT, SearchParams(**limits))
    assert [violation.reason.replace("\u00a0", " ") for violation in found] == reasons
