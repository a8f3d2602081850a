"""Masks are chosen and told by their mean IoU."""

from typing import Any

from kdtasks.report.contents import Contents, SelectParams, VariantContents
from kdtasks.report.selection import candidates_of, select, summarise
from kdtasks.report.sentences import headline
from kdtasks.tasks.registry import task_of

GAIN: dict[str, Any] = {
    "mean": 0.02, "interval": [0.01, 0.03], "verdict": "helps", "seeds_needed": None,
}  # fmt: skip
STATISTICS: dict[str, Any] = {
    "task": "segmentation",
    "seeds": [0, 1],
    "teacher": {"mean_iou": 0.7, "accuracy": 0.9},
    "student": {"mean": 0.64, "interval": None},
    "distill": {"mean": 0.66, "interval": None},
    "gain": GAIN,
    "teacher_worse_than_student": False,
    "variants": {
        "int8": {
            "bytes": 170_000,
            "exit_change": None,
            "test": {"mean_iou": 0.65, "accuracy": 0.88, "precision": 0.8, "recall": 0.75},
        }
    },
    "latency": {"int8": {"p50": 3.5}},
}


def test_the_headline_is_of_the_mean_iou() -> None:
    told = headline(STATISTICS, {"chosen": "int8"}).replace("\u00a0", " ")
    assert told.startswith("Mean IoU: teacher 70.0 %; student alone 64.0 %, distilled 66.0 %")
    worse = {**STATISTICS, "teacher_worse_than_student": True}
    assert "The teacher (70.0\u00a0%) is worse by mean IoU than" in headline(
        worse, {"chosen": None}
    )


def test_the_summary_names_its_figure() -> None:
    assert summarise(STATISTICS, {"chosen": "int8"}) == {
        "teacher_mean_iou": 0.7,
        "student_mean_iou": 0.64,
        "distilled_mean_iou": 0.66,
        "gain": 0.02,
        "gain_low": 0.01,
        "gain_high": 0.03,
        "shipped_mean_iou": 0.65,
        "shipped_precision": 0.8,
        "shipped_recall": 0.75,
        "shipped_kb": 170.0,
    }


def test_variants_are_judged_by_it() -> None:
    variant = VariantContents(
        compress={"base_seed": 0, "macs": [500]},
        calibration={"validation": {"accuracy": 0.9, "mean_iou": 0.6, "cost": 1.0}},
        export={"bytes": 1000},
        evaluate={},
        benchmark={},
        tradeoff={},
        reliability={},
        examples={},
    )
    contents = Contents(
        dataset={"task": "segmentation"},
        compare={},
        teacher={},
        student={},
        distill={0: {"validation": {"accuracy": [0.9], "mean_iou": [0.65]}}},
        teacher_curve={},
        student_curves={},
        distill_curves={},
        variants={"int8": variant},
        sensitivity={},
        compared={},
    )
    candidate = candidates_of(contents, task_of("segmentation").metric)["int8"]
    assert candidate.accuracy == 0.6
    assert round(candidate.accuracy_drop or 0, 6) == 0.05
    selection = select({"int8": candidate}, SelectParams(max_accuracy_drop=0.02), "mean IoU")
    assert selection["chosen"] is None
    assert "its drop in validation mean IoU, 5.0\u00a0points, is over" in selection["sentence"]
