from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import KdTasksError
from kdtasks.core.records import Refusal
from kdtasks.core.records.report import Selection, Statistics, Summary
from tests.core.records.conftest import RoundTrip
from tests.core.records.test_evaluate import CALIBRATION, GAIN, SEEDS

REFUSED = {"refused": "metrics/compare.json not found"}
UNTRAINED: dict[str, Any] = {
    "parameters": None,
    "macs": None,
    "epochs": None,
    "validation_accuracy": None,
}
TRAINED = {"parameters": 15046, "macs": 516992, "epochs": 30, "validation_accuracy": 0.98}
CURVE = {"epoch": [1, 2], "mean": [0.5, 1.0], "low": [0.5, 1.0], "high": [0.5, 1.0], "seeds": 3}
UNBUILT: dict[str, Any] = {
    "refused": "no filter can be removed",
    "base_seed": None,
    "bytes": None,
    "gzip_bytes": None,
    "parameters": None,
    "nonzero_parameters": None,
    "macs": [],
    "validation_accuracy": None,
    "parity": None,
    "test": REFUSED,
    "exit_change": None,
    "calibration": REFUSED,
    "tradeoff": [],
    "reliability": [],
}
BUILT: dict[str, Any] = {
    "refused": None,
    "base_seed": 2,
    "bytes": 21776,
    "gzip_bytes": 18248,
    "parameters": 15046,
    "nonzero_parameters": 15046,
    "macs": [57728, 516992],
    "validation_accuracy": 0.97,
    "parity": {
        "rows": 300,
        "tolerance": 0.25,
        "exits": [{"error": 0.0174, "changed": 0.0, "interval": [0.0, 0.0127]}],
    },
    "test": {"rows": 1000, "accuracy": 0.9, "interval": [0.8, 1.0], "cost": 1.0},
    "exit_change": {"mean": 0.0, "interval": [-0.1, 0.1], "verdict": "inconclusive", "cost": 0.2},
    "calibration": CALIBRATION,
    "tradeoff": [[0.2, 0.9], [1.0, 1.0]],
    "reliability": [[], [{"confidence": 0.5, "accuracy": 0.5, "rows": 3}]],
}
DATA: dict[str, Any] = {
    "name": "digits",
    "task": "classification",
    "ignore_label": None,
    "sha256": {},
    "class_names": ["0"],
    "image_shape": [28, 28, 1],
    "counts": {"test": {"total": 1, "by_class": {"0": 1}}},
    "duplicates": [],
    "contradictions": [],
    "excluded": [],
    "groups": {"total": 1, "shared": 0, "largest": 1},
    "split_by": "class",
}


def statistics(**changed: Any) -> dict[str, Any]:
    """Statistics of a project of which no stage has run, but for what is changed."""
    return {
        "recipe": "mnist-5k",
        "task": "classification",
        "seeds": [0, 1],
        "confidence": 0.95,
        "rows": None,
        "data": REFUSED,
        "teacher": {**REFUSED, **UNTRAINED},
        "student": {**REFUSED, **UNTRAINED},
        "distill": {**REFUSED, **UNTRAINED},
        "start": None,
        "gain": REFUSED,
        "teacher_worse_than_student": False,
        "labels": REFUSED,
        "unlabelled": None,
        "prospect": REFUSED,
        "arms": {},
        "training": {"teacher": {}, "student": {}, "distill": {}},
        "exit_names": ["last"],
        "variants": {"filters+int8": UNBUILT},
        "sensitivity": REFUSED,
        "versions": {"python": "3.12.0"},
        **changed,
    }


def selection(**changed: Any) -> dict[str, Any]:
    """A selection among one variant that has no model, but for what is changed."""
    return {
        "chosen": None,
        "objective": "size",
        "limits": {
            "max_size_kb": None,
            "max_latency_ms": None,
            "latency_statistic": "mean",
            "max_accuracy_drop": 0.02,
        },
        "candidates": {
            "int8": {
                "refused": "no filter can be removed",
                "accuracy": None,
                "accuracy_drop": None,
                "bytes": None,
                "latency_ms": None,
                "macs": None,
                "within": False,
                "reasons": ["no filter can be removed"],
            }
        },
        "pareto": [],
        "nearest": None,
        "sentence": "No variant can be shipped.",
        "headline": "Teacher 91.8 %.",
        **changed,
    }


def test_a_selection_of_nothing(round_trip: RoundTrip):
    found = round_trip(Selection, selection())
    assert found.chosen is None
    assert found.candidates["int8"].reasons == ("no filter can be removed",)


def test_a_selected_variant(round_trip: RoundTrip):
    candidate: dict[str, Any] = {
        "refused": None,
        "accuracy": 0.98,
        "accuracy_drop": 0.0,
        "bytes": 21776,
        "latency_ms": {"mean": 0.02, "p50": 0.01, "p90": 0.03, "p99": 0.04, "worst": 0.05},
        "macs": 109489.0,
        "within": True,
        "reasons": [],
    }
    limits = {
        "max_size_kb": 30.0,
        "max_latency_ms": 1.0,
        "latency_statistic": "p90",
        "max_accuracy_drop": None,
    }
    content = selection(
        chosen="int8", candidates={"int8": candidate}, pareto=["int8"], limits=limits
    )
    found = round_trip(Selection, content)
    assert found.candidates["int8"].within
    assert found.limits.max_size_kb == 30.0


def test_statistics_of_nothing(round_trip: RoundTrip):
    found = round_trip(Statistics, statistics())
    refusal = Refusal(**REFUSED)
    assert found.data == found.gain == found.sensitivity == refusal
    assert found.variants["filters+int8"].test == refusal
    assert found.teacher.refused == refusal.refused


def test_statistics_of_a_whole_run(round_trip: RoundTrip):
    content = statistics(
        rows=1000,
        data={**DATA, "ignore_label": 255},
        teacher={**TRAINED, "accuracy": 0.97, "interval": [0.96, 0.98]},
        student={**TRAINED, **SEEDS},
        distill={**TRAINED, **SEEDS},
        start="models/start/0",
        gain=GAIN,
        training={"teacher": {}, "student": {}, "distill": {"accuracy": CURVE}},
        variants={"int8": BUILT},
        sensitivity={"rows": 1, "accuracy": 0.9, "layers": {"a": {"filters": 8, "0.5": 0.4}}},
    )
    found = round_trip(Statistics, content)
    assert found.data.ignore_label == 255
    assert found.distill.by_seed == {"0": 0.9}
    assert found.gain.seeds_needed == 4
    assert found.training["distill"]["accuracy"].mean == (0.5, 1.0)
    assert found.variants["int8"].calibration.thresholds == (0.69,)
    assert found.variants["int8"].reliability[1][0].rows == 3.0
    assert found.sensitivity.layers["a"]["filters"] == 8


def test_a_summary_has_any_names(round_trip: RoundTrip):
    content = {"teacher_accuracy": 0.978, "shipped_mean_iou": 1.0}
    assert round_trip(Summary, content).model_extra == content
    assert round_trip(Summary, {}).model_extra == {}


def test_a_summary_holds_numbers_alone(tmp_path: Path):
    path = tmp_path / "summary.json"
    path.write_text('{"teacher_accuracy": null}')
    with pytest.raises(KdTasksError, match="teacher_accuracy: Input should be a valid number"):
        Summary.read(path)
