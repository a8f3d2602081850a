"""Masks are chosen and told by their mean IoU."""

from pathlib import Path

from kdtasks.core.records.calibration import Calibration, ValidationPoint
from kdtasks.core.records.compress import Exported
from kdtasks.core.records.evaluate import Evaluation
from kdtasks.report.inputs import ReportInputs, SelectParams, VariantInputs
from kdtasks.report.selection import candidates_of, select, summarise
from kdtasks.report.sentences import headline
from tests.tools.records import (
    MISSING,
    compressed,
    gain_of,
    model_summary,
    selection,
    statistics,
    training,
    variant_summary,
)

TEST = Evaluation(
    rows=9, accuracy=0.88, mean_iou=0.65, interval=None, precision=0.8, recall=0.75, cost=1.0
)
STATISTICS = statistics(
    task="segmentation",
    seeds=(0, 1),
    teacher=model_summary(mean_iou=0.7, accuracy=0.9),
    student=model_summary(mean=0.64, interval=None),
    distill=model_summary(mean=0.66, interval=None),
    gain=gain_of(0.02, (0.01, 0.03), "helps"),
    variants={"int8": variant_summary(bytes=170_000, test=TEST)},
)


def test_the_headline_is_of_the_mean_iou() -> None:
    told = headline(STATISTICS, selection("int8")).replace("\u00a0", " ")
    assert told.startswith("Mean IoU: teacher 70.0 %; student alone 64.0 %, distilled 66.0 %")
    worse = STATISTICS.model_copy(update={"teacher_worse_than_student": True})
    assert "The teacher (70.0\u00a0%) is worse by mean IoU than" in headline(worse, selection(None))


def test_the_summary_names_its_figure() -> None:
    assert summarise(STATISTICS, selection("int8")).model_dump() == {
        "teacher_mean_iou": 0.7,
        "student_mean_iou": 0.64,
        "distilled_mean_iou": 0.66,
        "gain": 0.02,
        "gain_low": 0.01,
        "gain_high": 0.03,
        "shipped_mean_iou": 0.65,
        "shipped_precision": 0.8,
        "shipped_recall": 0.75,
        "shipped_compute": 1.0,
        "shipped_kb": 170.0,
    }


def test_variants_are_judged_by_it() -> None:
    variant = VariantInputs(
        compress=compressed(0.9, macs=(500,)),
        calibration=Calibration(
            mode="none",
            score="max_probability",
            temperatures=(1.0,),
            thresholds=(),
            macs=(500,),
            validation=ValidationPoint(accuracy=0.9, mean_iou=0.6, cost=1.0),
        ),
        export=Exported(bytes=1000, gzip_bytes=900),
        evaluate=TEST,
        benchmark=MISSING,
        tradeoff=[],
        leaving={},
        reliability=[],
        examples={},
        scores_sha256="",
    )
    inputs = ReportInputs(
        dataset=MISSING,
        labels=MISSING,
        targets=MISSING,
        prospect=MISSING,
        unsure={},
        suspected={},
        compare=MISSING,
        label_errors=MISSING,
        trainings={"distill": {0: training(0.9, mean_iou=(0.65,))}},
        curves={},
        variants={"int8": variant},
        sensitivity=MISSING,
        compared={},
        contact_sheet=Path(),
        published=None,
        dataset_sha256="",
        params_sha256="",
    )
    candidate = candidates_of(inputs, "mean_iou")["int8"]
    assert candidate.accuracy == 0.6
    assert round(candidate.accuracy_drop or 0, 6) == 0.05
    choice = select({"int8": candidate}, SelectParams(max_accuracy_drop=0.02), "mean IoU")
    assert choice.chosen is None
    assert "its drop in validation mean IoU, 5.0\u00a0points, is over" in choice.sentence
