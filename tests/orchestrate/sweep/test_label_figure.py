"""The image of a label curve: all that it shows can be read, and read out."""

import re

import pytest

from kdtasks.core.records.evaluate import SeedScores
from kdtasks.orchestrate.sweep.label_curve import LabelCurve, LabelWorth
from kdtasks.orchestrate.sweep.label_figure import label_figure, tick_texts
from kdtasks.orchestrate.sweep.record import SweepSummary
from kdtasks.report.drawing import standalone
from tests.tools.sweeps import ended_point, failed_point, scores, sweep_summary

NUMBERS = (100, 300, 1000, 2700)


def summary(*, spread: bool = True, teacher: float | None = 0.98) -> SweepSummary:
    def about(mean: float) -> SeedScores:
        return scores(mean, (mean - 0.1, mean + 0.01) if spread else None)

    points = [
        ended_point(
            f"train_labels={number}",
            labels=number,
            teacher=teacher,
            student=about(0.7 + place / 20),
            distill=about(0.8 + place / 20),
        )
        for place, number in enumerate(NUMBERS)
    ]
    return sweep_summary(failed_point("x"), *points)


def curve(numbers: tuple[int, ...] = NUMBERS, alone: tuple[int | None, ...] = ()) -> LabelCurve:
    worth = tuple(
        LabelWorth(
            labels=number,
            alone=found,
            beyond=None if found else "more",
            interval=(None, None),
        )
        for number, found in zip(numbers, alone, strict=False)
    )
    points = tuple(f"train_labels={number}" for number in numbers)
    return LabelCurve(title="", points=points, worth=worth)


def test_both_curves_and_the_teacher_are_there():
    image = label_figure(curve(), summary(), "labels")
    assert all(f"var(--{name})" in image for name in ("teacher", "student", "distill"))
    for text in ("100", "300", "1,000", "2,700", "teacher", "student alone", "distilled"):
        assert f">{text}<" in image
    assert ">labels that students see<" in image
    assert ">test accuracy<" in image
    assert image == label_figure(curve(), summary(), "labels")


def test_what_it_shows_can_be_read_out():
    image = label_figure(curve(), summary(), "labels")
    found = re.search(r'aria-label="([^"]+)"', image)
    assert found
    assert found[1].replace("\u00a0", " ") == (
        "Test accuracy of the student alone and the distilled one by the number of labels that "
        "they see: 100 labels, 70.0 % and 80.0 %; 300 labels, 75.0 % and 85.0 %; 1,000 labels, "
        "80.0 % and 90.0 %; 2,700 labels, 85.0 % and 95.0 %. The teacher: 98.0 %."
    )


def test_a_teacher_that_was_not_tested_is_no_line():
    image = label_figure(curve(), summary(teacher=None), "labels")
    assert "The teacher: not tested." in image
    assert image.count("<path") < label_figure(curve(), summary(), "labels").count("<path")


def test_an_arrow_for_every_point_that_can_be_read_off():
    def paths(*alone: int | None) -> int:
        return label_figure(curve(alone=alone), summary(), "labels").count("<path")

    without = paths()
    each = paths(500, None, None, None) - without
    assert each > 0
    assert paths(500, 1500, 1000, None) - without == 2 * each  # 1,000 are no fewer and no more


def test_two_points_of_one_seed_can_be_drawn():
    assert label_figure(curve((100, 300)), summary(spread=False), "labels").startswith("<svg")


def test_every_number_is_written_and_none_on_another():
    assert tick_texts([100, 300, 1000]) == ["100", "300", "1,000"]
    assert tick_texts([100, 1000, 1100, 1200, 10000]) == [
        "100", "1,000", "\n1,100", "\n\n1,200", "10,000"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["labels", "labels-2"])
def test_a_file_of_its_own_brings_its_colours(name: str):
    image = label_figure(curve(), summary(), name)
    text = standalone(image)
    assert text.startswith('<svg viewBox="')
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
    assert "prefers-color-scheme: dark" in text
    assert {f"--{used}" for used in re.findall(r"var\(--([\w-]+)\)", text)} <= set(
        re.findall(r"(--[\w-]+):", text)
    )
    assert image.split(">", 1)[1] in text
