"""Masks have one exit and pass through the calibration."""

from kdtasks.core.records.calibration import (
    Calibration,
    CandidateCounts,
    ExpectedPoint,
    Guarantee,
    ValidationPoint,
)
from kdtasks.core.records.evaluate import Quality
from kdtasks.core.records.training import ExitScores
from kdtasks.evaluate.exits.calibrate import always_last_exit, sentences
from tests.tools.records import compressed


def test_validation_scores_are_handed_on():
    scores = ExitScores(accuracy=(0.5, 0.75), mean_iou=(0.25, 0.5))
    calibration = always_last_exit(compressed(macs=(120, 500), validation=scores))
    assert calibration == Calibration(
        mode="none",
        score="max_probability",
        temperatures=(1.0,),
        thresholds=(),
        macs=(500,),
        validation=ValidationPoint(accuracy=0.75, mean_iou=0.5, cost=1.0),
    )
    assert sentences(calibration) == ["one exit a pixel, nothing to calibrate"]


def test_guarantees_are_told():
    calibration = Calibration(
        mode="guarantee",
        score="max_probability",
        temperatures=(1.0, 1.0),
        thresholds=(0.5,),
        macs=(1, 2),
        validation=ValidationPoint(accuracy=0.9, cost=0.5),
        expected=ExpectedPoint(accuracy=0.9, cost=0.5, exit_rate=(0.75, 0.25)),
        full=Quality(accuracy=0.95),
        guarantee=Guarantee(
            risk="consistency",
            epsilon=0.1,
            delta=0.1,
            certified=True,
            p_value=0.01,
            loss=0.0,
            rows=9,
            candidates=CandidateCounts(found=1, certified=1),
            statement="It holds.",
        ),
    )
    assert sentences(calibration) == [
        "accuracy 0.9000 at 50.0% of the compute (0.9500 without early exits), taken 75.0%, 25.0%",
        "It holds.",
    ]
