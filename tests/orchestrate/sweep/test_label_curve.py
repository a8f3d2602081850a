"""What a teacher is worth in labels: by hand, at the ends, and when nothing may be said.

How often the interval holds the truth is simulated in `benchmarks.evidence.labels`.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.orchestrate.sweep.grid import parse_grid
from kdtasks.orchestrate.sweep.label_curve import (
    LabelCurve,
    LabelWorth,
    alone_text,
    between,
    label_curves,
    label_worth,
    worth_range,
    worth_sentence,
)
from tests.tools.sweeps import point_result

LABELS = (100, 1000, 10000)  # a decade apart
SPREAD = np.array([-0.01, 0.0, 0.01])  # over three seeds; their standard deviation is 0.01
# with 2 degrees of freedom P(|T| > t) = 1 − t/√(2 + t²), so 95 % lie within t = 0.95 √(2/0.0975)
HALF = 0.95 * (2 / 0.0975) ** 0.5 * 0.01 / 3**0.5  # 0.0248, of the mean over seeds


def worth(student: list[float], distilled: list[float]) -> list[LabelWorth]:
    """Of means by point; only the distilled student differs over seeds."""
    alone = np.repeat(np.array(student)[:, None], 3, axis=1)
    return list(label_worth(LABELS, alone, np.array(distilled)[:, None] + SPREAD, 0.95))


def decades(number: float) -> float:
    """The number of labels so many decades above the fewest."""
    return float(100 * 10**number)


def test_a_straight_curve_by_hand():
    # 0.2 a decade: 0.6 lies half a decade from the first point, and ± HALF is HALF / 0.2 decades
    first, second, last = worth([0.5, 0.7, 0.9], [0.6, 0.75, 0.9])
    assert first.labels == 100
    assert first.alone == np.ceil(decades(0.5)) == 317
    assert first.interval == (
        np.ceil(decades(0.5 - HALF / 0.2)), np.floor(decades(0.5 + HALF / 0.2))
    )  # fmt: skip
    assert second.alone == pytest.approx(decades(1.25), rel=2e-3)
    assert second.interval == (
        pytest.approx(decades(1.25 - HALF / 0.2), rel=2e-3),
        pytest.approx(decades(1.25 + HALF / 0.2), rel=2e-3),
    )
    # as good as the student alone with the same labels, the most there are
    assert (last.alone, last.beyond) == (10000, None)
    assert last.interval == (pytest.approx(decades(2 - HALF / 0.2), rel=2e-3), None)


def test_a_curve_that_levels_off_by_hand():
    # slopes 0.2 and 0.1 a decade; at the second point their harmonic mean, 2/15; at the first
    # (3 · 0.2 − 0.1) / 2 = 0.25. The cubic half way: 0.6 + 0.25/8 − (2/15)/8
    middle = 0.6 + 0.25 / 8 - 2 / 15 / 8
    assert between(LABELS, [0.5, 0.7, 0.8], [100, decades(0.5)]) == pytest.approx([0.5, middle])
    first = worth([0.5, 0.7, 0.8], [middle, 0.75, 0.8])[0]
    assert first.alone == 317


def test_a_curve_that_falls_again_by_hand():
    # the slope at the top is 0, at the first point (3 · 0.3 + 0.1) / 2 = 0.5: half way up
    # 0.65 + 0.5 / 8 = 0.7125, where the student alone does as well for the first time
    first, *_, last = worth([0.5, 0.8, 0.7], [0.7125, 0.75, 0.75])
    assert (first.alone, first.beyond) == (317, None)
    # it falls back to within HALF of 0.7125, so that any larger number may be the true one
    low, high = first.interval
    assert low is not None
    assert 100 < low < 317
    assert high is None
    # the end of its curve is too low, but not all of it
    assert last.alone is not None
    assert 317 < last.alone < 1000
    assert last.interval[1] is None


def test_beyond_the_ends():
    more, fewer = worth([0.5, 0.7, 0.9], [0.95, 0.4, 0.9])[:2]
    assert (more.alone, more.beyond, more.interval) == (None, "more", (10000, None))
    assert (fewer.alone, fewer.beyond, fewer.interval) == (None, "fewer", (None, 100))
    unsure, hardly = worth([0.5, 0.7, 0.9], [0.91, 0.49, 0.9])[:2]
    assert (unsure.beyond, hardly.beyond) == ("more", "fewer")
    assert unsure.interval == (pytest.approx(decades(2 + (0.01 - HALF) / 0.2), rel=2e-3), None)
    assert hardly.interval == (None, np.floor(decades((HALF - 0.01) / 0.2)))


def test_seeds_that_all_gave_the_same_exclude_nothing():
    student = np.repeat([[0.5], [0.7], [0.9]], 3, axis=1)
    found = label_worth(LABELS, student, student + 0.1, 0.95)
    assert found[0].alone == 317
    assert {it.interval for it in found} == {(None, None)}


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=6, max_size=6))
def test_what_is_said_lies_within_its_interval(scores: list[list[float]]):
    for found in label_worth(LABELS, scores[:3], scores[3:], 0.95):
        low, high = found.interval
        assert (found.alone is None) == (found.beyond is not None)
        assert (low or LABELS[0]) <= (high or LABELS[-1])
        if found.alone is not None:
            assert (low or LABELS[0]) <= found.alone <= (high or LABELS[-1])
        else:
            assert (low if found.beyond == "fewer" else high) is None


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_between_two_points_a_curve_stays_between_them(scores: list[float]):
    labels = [100 * 2**place for place in range(len(scores))]
    assert between(labels, scores, labels) == pytest.approx(scores)
    for place in range(len(scores) - 1):
        inside = between(labels, scores, np.geomspace(labels[place], labels[place + 1], 20))
        ends = scores[place : place + 2]
        assert min(ends) - 1e-9 <= inside.min() <= inside.max() <= max(ends) + 1e-9


def curves(
    *settings: str, failed: tuple[str, ...] = (), seeds: int = 3, every: int = 2700
) -> list[LabelCurve]:
    """Curves of a sweep whose students alone rise by 0.1 a decade, half a decade behind."""
    grid, points, results = parse_grid(settings), [], {}
    for place, combination in enumerate(grid.combinations):
        point: Any = SimpleNamespace(label=f"point {place}", settings=combination)
        points.append(point)
        labels = combination.get("data.train_labels") or every
        student = {seed: 0.5 + 0.1 * np.log10(labels) + 0.001 * seed for seed in range(seeds)}
        distilled = {seed: value + 0.05 - 0.002 * (seed % 2) for seed, value in student.items()}
        if point.label not in failed:
            results[point.label] = point_result(student, distilled, labels=labels)
    return label_curves(grid, points, results, 0.95)


def test_the_points_of_a_sweep_are_a_curve():
    (curve,) = curves("data.train_labels=1000,null,100,300")
    assert curve.title == ""
    assert curve.points == ("point 2", "point 3", "point 0", "point 1")  # null is all 2,700
    assert [it.labels for it in curve.worth] == [100, 300, 1000, 2700]
    # a mean lead of 0.0493, by 0.1 a decade
    assert curve.worth[0].alone == pytest.approx(100 * 10 ** (0.148 / 3 / 0.1), rel=0.01)
    assert [it.beyond for it in curve.worth] == [None, None, "more", "more"]


def test_verdicts_over_seeds_and_these_intervals_count_the_same_seeds():
    three = curves("data.train_labels=100,300,1000", seeds=3)
    assert curves("data.train_labels=100,300,1000", seeds=4) == three
    assert curves("data.train_labels=100,300,1000", seeds=5) != three


def test_what_else_is_swept_makes_curves_of_its_own():
    found = curves("distill.alpha=0.5,0.1", "data.train_labels=100,300,1000", failed=("point 1",))
    assert [it.title for it in found] == ["alpha=0.5", "alpha=0.1"]
    assert found[0].points == ("point 0", "point 2")
    assert found[0].worth == ()  # two points are left
    assert found[1].worth


def test_all_labels_by_number_and_by_null_are_one_point():
    (curve,) = curves("data.train_labels=100,300,1000,null", every=1000)
    assert [it.labels for it in curve.worth] == [100, 300, 1000]


@pytest.mark.parametrize(
    ("settings", "seeds"),
    [("data.train_labels=100,300", 3), ("data.train_labels=100,300,1000", 2)],
)
def test_little_is_drawn_and_not_spoken_of(settings: str, seeds: int):
    (curve,) = curves(settings, seeds=seeds)
    assert curve.worth == ()
    assert worth_sentence(curve.worth) is None


@pytest.mark.parametrize("settings", ["distill.alpha=0.1,0.5,0.9", "data.train_labels=100"])
def test_other_sweeps_have_no_curve(settings: str):
    assert curves(settings) == []


def said(
    labels: int, alone: int | None, interval: tuple[int | None, int | None], **beyond: Any
) -> LabelWorth:
    return LabelWorth(labels=labels, alone=alone, **{"beyond": None, **beyond}, interval=interval)


def test_every_point_is_said():
    curve = [
        said(100, 589, (437, 791)),
        said(300, 1765, (997, None)),
        said(1000, None, (1950, None), beyond="more"),
        said(2712, None, (2712, None), beyond="more"),
    ]
    assert worth_sentence(curve) == (
        "With the teacher, 100 labels do what about 590 (430 to 800) do without; 300 do what about "
        "1,800 (990 or more) do; 1,000 do what more than 2,712 (1,900 or more) do; 2,712 do what "
        "more than 2,712 do."
    )


@pytest.mark.parametrize(
    ("worth", "text", "interval"),
    [
        (said(100, 47, (None, 47)), "about 47", "up to 47"),
        (said(100, 1250, (None, None)), "about 1,300", "any number"),
        (said(100, None, (None, 1001), beyond="fewer"), "fewer than 100", "up to 1,100"),
        (said(100, None, (None, 100), beyond="fewer"), "fewer than 100", ""),
        (said(100, None, (None, None), beyond="more"), "more than 5,000", "any number"),
    ],
)
def test_numbers_are_no_finer_than_they_are_known(worth: LabelWorth, text: str, interval: str):
    curve = [said(100, 100, (None, None)), said(5000, 5000, (None, None))]
    assert alone_text(worth, curve) == text
    assert worth_range(worth, curve) == interval
