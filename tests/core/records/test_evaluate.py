from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import KdTasksError
from kdtasks.core.files import write_json
from kdtasks.core.records.benchmark import Benchmark
from kdtasks.core.records.calibration import Calibration
from kdtasks.core.records.evaluate import Comparison, Evaluation
from tests.core.records.conftest import RoundTrip

CALIBRATION: dict[str, Any] = {
    "mode": "drop",
    "score": "max_probability",
    "temperatures": [0.25, 1.0],
    "thresholds": [0.69],
    "macs": [57728, 516992],
    "expected": {"accuracy": 0.86, "cost": 0.7, "exit_rate": [0.5, 0.5]},
    "full": {"accuracy": 0.87},
    "rows": 500,
    "validation": {"accuracy": 0.884, "cost": 0.7},
}
# What masks have besides accuracy and mean IoU.
MASK_SCORES: dict[str, Any] = {
    "dice": 0.7,
    "precision": 0.7,
    "recall": 0.7,
    "at_half": {"precision": 0.8, "recall": None},
    "classes": {
        "water": {
            "iou": 0.8,
            "dice": 0.9,
            "precision": None,
            "recall": 0.9,
            "average_precision": None,
            "pixels": 427042,
        }
    },
}
GAIN: dict[str, Any] = {
    "judged": 2,
    "mean": 0.01,
    "interval": [-0.01, 0.03],
    "bootstrap_interval": [0.0, 0.02],
    "by_seed": {"0": 0.01, "1": 0.01},
    "verdict": "inconclusive",
    "seeds_needed": 4,
}
SEEDS: dict[str, Any] = {"by_seed": {"0": 0.9}, "mean": 0.9, "interval": None}


def test_calibrated_exits(round_trip: RoundTrip):
    calibration = round_trip(Calibration, CALIBRATION)
    assert calibration.expected.exit_rate == (0.5, 0.5)
    assert calibration.guarantee is None


def test_guaranteed_exits(round_trip: RoundTrip):
    guarantee = {
        "risk": "consistency",
        "epsilon": 0.02,
        "delta": 0.1,
        "certified": False,
        "p_value": None,
        "loss": 0.0,
        "rows": 250,
        "candidates": {"found": 40, "certified": 0},
        "statement": "No early exit could be certified.",
    }
    content = {**CALIBRATION, "mode": "guarantee", "guarantee": guarantee}
    calibration = round_trip(Calibration, content)
    assert calibration.guarantee.p_value is None
    assert calibration.guarantee.candidates.found == 40


def test_one_exit_with_nothing_to_calibrate(round_trip: RoundTrip):
    calibration = round_trip(
        Calibration,
        {
            "mode": "none",
            "score": "max_probability",
            "temperatures": [1.0],
            "thresholds": [],
            "macs": [55312384],
            "validation": {"accuracy": 0.8, "mean_iou": 0.6, "cost": 1.0},
        },
    )
    assert calibration.validation.mean_iou == 0.6
    assert calibration.expected is None


def test_test_scores_of_classes(round_trip: RoundTrip):
    unused = {"reached": 0.0, "exit_rate": 0.0, "accuracy_all": 0.9}
    evaluation = round_trip(
        Evaluation,
        {
            "rows": 1000,
            "accuracy": 0.868,
            "interval": [0.84, 0.88],
            "full": {"accuracy": 0.899, "interval": [0.87, 0.91]},
            "cost": 0.69,
            "saved": 0.31,
            "mean_macs": 358811.648,
            "exits": [{**unused, "accuracy_reached": None, "accuracy_taken": None}],
            "changed": {"rows": 46, "early_right": 5, "last_right": 36, "interval": [-0.04, -0.02]},
            "calibration_error": [0.05],
        },
    )
    assert evaluation.full.interval == (0.87, 0.91)
    assert evaluation.exits[0].accuracy_taken is None
    assert evaluation.mean_iou is None


def test_test_scores_of_masks(round_trip: RoundTrip):
    evaluation = round_trip(
        Evaluation,
        {
            **MASK_SCORES,
            "rows": 126,
            "images": 1,
            "pixels": 427042,
            "mean_iou": 0.8,
            "interval": None,
            "accuracy": 0.8,
            "confusion": [[1, 2], [3, 4]],
            "cost": 1.0,
        },
    )
    assert evaluation.confusion == ((1, 2), (3, 4))
    assert evaluation.classes["water"].pixels == 427042
    assert evaluation.at_half.recall is None
    assert evaluation.exits is None


def test_a_comparison_of_classifiers(round_trip: RoundTrip):
    comparison = round_trip(
        Comparison,
        {
            "rows": 1000,
            "teacher": {"accuracy": 0.918, "interval": [0.89, 0.93]},
            "student": SEEDS,
            "distill": {**SEEDS, "interval": [0.8, 1.0]},
            "gain": GAIN,
            "teacher_lead": [-0.01, 0.03],
            "teacher_worse_than_student": False,
        },
    )
    assert comparison.distill.interval == (0.8, 1.0)
    assert comparison.gain.verdict == "inconclusive"
    assert comparison.pixels is None


def test_a_comparison_of_masks_with_one_seed_and_one_image(round_trip: RoundTrip):
    masks = {**SEEDS, **MASK_SCORES, "accuracy": 0.8}
    comparison = round_trip(
        Comparison,
        {
            "rows": 126,
            "images": 1,
            "pixels": 427042,
            "teacher": {**MASK_SCORES, "accuracy": 0.8, "mean_iou": 0.6, "interval": None},
            "student": masks,
            "distill": masks,
            "gain": {**GAIN, "interval": None, "bootstrap_interval": None, "seeds_needed": None},
            "teacher_lead": None,
            "teacher_worse_than_student": True,
        },
    )
    assert comparison.teacher.mean_iou == 0.6
    assert comparison.student.dice == 0.7
    assert comparison.gain.bootstrap_interval is None


def test_a_benchmark_with_an_exit_that_nothing_leaves_at(round_trip: RoundTrip):
    latency = {"p50": 0.09, "p90": 0.12, "p99": 0.15, "mean": 0.1, "worst": 0.16}
    benchmark = round_trip(
        Benchmark,
        {
            "latency_ms": latency,
            "exit_ms": [None, 0.1],
            "exit_rate": [0.0, 1.0],
            "peak_memory_mb": 65.404928,
            "threads": 1,
            "images": 20,
            "rounds": 5,
            "cpu": "AMD EPYC",
        },
    )
    assert benchmark.exit_ms == (None, 0.1)
    assert benchmark.latency_ms.p50 == 0.09


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"median": 0.09}, "latency_ms.median: Unexpected keyword argument"),
        ({"mean": "0.1"}, "latency_ms.mean: Input should be a valid number"),
    ],
)
def test_a_latency_is_five_numbers_and_no_others(
    tmp_path: Path, changed: dict[str, Any], problem: str
):
    latency = dict.fromkeys(("mean", "p50", "p90", "p99", "worst"), 0.1)
    write_json(tmp_path / "int8.json", {"latency_ms": {**latency, **changed}})
    with pytest.raises(KdTasksError, match=problem):
        Benchmark.read(tmp_path / "int8.json")
