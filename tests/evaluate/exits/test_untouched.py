"""Masks have one exit and pass through the calibration."""

from kdtasks.evaluate.exits.calibrate import sentences, uncalibrated


def test_validation_figures_are_handed_on():
    compressed = {
        "macs": [120, 500],
        "validation": {"accuracy": [0.5, 0.75], "mean_iou": [0.25, 0.5]},
    }
    calibration = uncalibrated(compressed)
    assert calibration == {
        "mode": "none",
        "score": "max_probability",
        "temperatures": [1.0],
        "thresholds": [],
        "macs": [500],
        "validation": {"accuracy": 0.75, "mean_iou": 0.5, "cost": 1.0},
    }
    assert sentences(calibration) == ["one exit a pixel, nothing to calibrate"]


def test_refusals_and_guarantees_are_told():
    assert sentences({"refused": "too few rows"}) == [
        "not calibrated, the other variants go on: too few rows"
    ]
    content = {
        "mode": "guarantee",
        "expected": {"accuracy": 0.9, "cost": 0.5, "taken": [0.75, 0.25]},
        "full": {"accuracy": 0.95},
        "guarantee": {"statement": "It holds."},
    }
    assert sentences(content) == [
        "accuracy 0.9000 at 50.0% of the compute (0.9500 without early exits), taken 75.0%, 25.0%",
        "It holds.",
    ]
