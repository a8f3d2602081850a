"""The four sentences at the top of the page."""

from kdtasks.core.records.data import Labels
from kdtasks.core.records.evaluate import Evaluation
from kdtasks.core.records.report import ExitChange, Selection, Statistics
from kdtasks.core.text import plain
from kdtasks.report.brief import brief
from tests.tools.records import (
    gain_of,
    latency,
    model_summary,
    selection,
    statistics,
    variant_summary,
)

LABELS = Labels(train=300, hidden=2697, by_class={}, unlabelled=3, validation=9, calibration=9)
TEST = Evaluation(rows=1000, accuracy=0.972, interval=(0.96, 0.981), cost=0.4)
CHANGE = ExitChange(mean=-0.004, interval=(-0.006, -0.002), verdict="hurts", cost=0.4)


def found(**changed: object) -> Statistics:
    variant = variant_summary(
        bytes=21_360, macs=(50_000, 100_000), parameters=15_000, test=TEST, exit_change=CHANGE
    )
    known = {
        "rows": 1000,
        "labels": LABELS,
        "teacher": model_summary(accuracy=0.981, macs=4_000_000, parameters=75_000),
        "gain": gain_of(0.029, (0.016, 0.043), "helps"),
        "variants": {"int8": variant},
    }
    return statistics(**{**known, **changed})


def sentences(statistics: Statistics, chosen: Selection) -> list[str]:
    return [plain(sentence) for sentence in brief(statistics, chosen)]


def test_in_full() -> None:
    """0.4 of 100,000 MACs are 40,000, a hundredth of the teacher's."""
    assert sentences(found(), selection("int8", latency_ms=latency(0.038))) == [
        "int8 ships, a file of 21.4 kB that takes 0.038 ms an image (mean).",
        "On 1,000 test images its accuracy is 97.2 % (96.0 – 98.1 %), 0.9 points less than the "
        "teacher’s 98.1 %.",
        "It computes 40.0 k multiply-accumulates an image, 100 times fewer than the teacher’s, "
        "early exits leave out 60 % of it and its 15,000 parameters are 5.0 times fewer than the "
        "teacher’s.",
        "Distillation was worth it: over 3 seeds and 1,000 test images it changed the accuracy by "
        "+2.9 points (95 % interval +1.6 to +4.3 points); both students were given 300 labels, the "
        "distilled one a teacher’s answers to 3,000 images too.",
    ]


def test_what_is_not_known_is_said() -> None:
    assert sentences(statistics(), selection(None)) == [
        "Nothing ships: no variant is within the limits.",
        "What it costs in accuracy is not known: no variant was tested.",
        "What it saves is not known: no variant was built.",
        "Whether distillation was worth it is unknown: missing.",
    ]


def test_the_nearest_variant_stands_in_where_none_ships() -> None:
    nearest = selection(None).model_copy(update={"nearest": "int8"})
    ships, costs, saves, worth = sentences(
        found(
            teacher=model_summary(),
            gain=gain_of(0.001, (-0.02, 0.022), "inconclusive", seeds_needed=7),
        ),
        nearest,
    )
    assert ships == "Nothing ships: no variant is within the limits; int8 comes nearest."
    assert costs.endswith("97.2 % (96.0 – 98.1 %); the teacher has none to compare it with.")
    assert saves == (
        "It computes 40.0 k multiply-accumulates an image and early exits leave out 60 % of it."
    )
    assert worth.startswith(
        "Whether distillation was worth it is inconclusive, needs about 7 more seeds: over 3 seeds"
    )


def test_a_larger_student_than_its_teacher_saves_nothing() -> None:
    teacher = model_summary(accuracy=0.95, macs=20_000, parameters=15_000)
    _, costs, saves, worth = sentences(
        found(teacher=teacher, gain=gain_of(-0.03, (-0.05, -0.01), "hurts")), selection("int8")
    )
    assert "2.2 points more than the teacher’s 95.0 %" in costs
    assert "an image, 2.0 times the teacher’s," in saves
    assert saves.endswith("its 15,000 parameters are about as many as the teacher’s.")
    assert worth.startswith(
        "Distillation did harm, and every variant comes from it: over 3 seeds and 1,000 test images"
    )


def test_without_weight_the_teacher_has_taught_nothing() -> None:
    *_, worth = sentences(found(teacher_has_weight=False), selection("int8"))
    assert worth == (
        "Nothing was distilled: with distill.alpha: 1.0 the teacher has no weight, and labels "
        "alone taught every student."
    )
