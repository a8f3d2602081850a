"""What a sweep shows, in sentences that claim nothing more."""

from typing import Any

import pytest

from kdtasks.orchestrate.sweep.label_curve import LabelCurve, LabelWorth
from kdtasks.orchestrate.sweep.record import PointSummary
from kdtasks.orchestrate.sweep.summary import headline, in_points, p_text
from tests.tools.sweeps import ended_point, failed_point, point_gain, sweep_summary


def point(label: str, verdict: str, gain: float = 0.012, **values: Any) -> PointSummary:
    return ended_point(label, gain=point_gain(gain, verdict), **values)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_all_that_can_be_said_is_said():
    text = headline(
        sweep_summary(
            point("a", "helps"),
            point("b", "hurts", -0.03),
            point("c", "inconclusive"),
            failed_point("d"),
            chosen="b",
            ties=("a", "c"),
        )
    )
    assert plain(text) == (
        "Of 4 points with 3 seeds each, distillation helps at 1 and hurts at 1, 1 inconclusive, "
        "1 failed. Best on validation, as are 2 more: b (95.0 %); there the gain on the test split "
        "is −3.0 points (−4.0 to −2.0 points), hurts."
    )


def test_nothing_found_is_no_finding():
    text = headline(
        sweep_summary(point("a", "inconclusive"), point("b", "inconclusive"), chosen="a")
    )
    assert "none shows an effect, 2 inconclusive." in plain(text)


def test_one_point_is_not_chosen():
    text = plain(headline(sweep_summary(point("a", "helps"), chosen="a")))
    assert "validation" not in text
    assert text.endswith("Its gain on the test split is +1.2 points (+0.2 to +2.2 points), helps.")


def test_nothing_but_failures():
    text = headline(sweep_summary(failed_point("a"), chosen=None))
    assert plain(text) == "Of 1 point with 3 seeds each, none shows an effect, 1 failed."


def test_a_teacher_worse_than_the_student_is_named():
    poor = point("a", "helps", teacher=0.94, teacher_lead=(-0.03, -0.01))
    # below the students' mean, but not for certain
    good = point("b", "helps", teacher=0.94, teacher_lead=(-0.02, 0.01))
    text = headline(sweep_summary(poor, good, failed_point("c"), chosen="b"))
    assert text.startswith("At a the teacher is worse than the student from scratch. Of 3")
    everywhere = headline(sweep_summary(poor, failed_point("c"), chosen="a"))
    assert everywhere.startswith("At every point the teacher is worse than the student fr")
    untested = point("b", "helps", teacher=None)
    assert "the teacher" not in headline(sweep_summary(good, untested, chosen="b"))


def test_processors_that_differ_are_named():
    def told(*kinds: tuple[str, ...]) -> str:
        points = [
            point(label, "helps", processors=kind) for label, kind in zip("abc", kinds, strict=True)
        ]
        return headline(sweep_summary(*points, failed_point("d"), chosen="a"))

    assert "rocessors" not in told(("x",), ("x",), ("x",))
    assert told(("x",), ("y",), ("x",)).endswith(
        " Processors differ, and with them the last bits of results: a, c on x; b on y."
    )
    assert told(*[("x", "y")] * 3).endswith(": a, b, c on x and y.")


@pytest.mark.parametrize(
    ("curves", "points", "is_told"), [(1, 4, True), (1, 5, False), (2, 3, False), (1, 0, False)]
)
def test_what_a_teacher_is_worth_comes_first_where_it_is_short(
    curves: int, points: int, is_told: bool
):
    curve = LabelCurve(
        title="",
        points=("a", "b"),
        worth=tuple(
            LabelWorth(labels=100 * place, alone=900, beyond=None, interval=(520, None))
            for place in range(1, points + 1)
        ),
    )
    found = sweep_summary(point("a", "helps"), chosen="a", label_curves=(curve,) * curves)
    begin = "With the teacher, 100 labels do what about 900 (520 or more) do without; 200 do"
    assert headline(found).startswith(begin if is_told else "Of 1 point")


def test_differences_are_in_points():
    assert in_points(0.0123) == "+1.2"
    assert in_points(-0.004, 0.01) == "−0.4 to +1.0"
    assert in_points() == "–"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0001, "< 0.001"), (0.0341, "0.034"), (1.0, "1.000")]
)
def test_p_values(value: float | None, text: str):
    assert p_text(value) == text
