"""What a sweep shows, in sentences that claim nothing more."""

from typing import Any

import pytest

from kdtasks.orchestrate.sweep.summary import headline, in_points, p_text


def point(
    label: str,
    verdict: str,
    gain: float = 0.012,
    needed: int | None = None,
    teacher: float | None = 0.97,
    teacher_lead: tuple[float, float] | None = None,
) -> dict[str, Any]:
    return {
        "label": label,
        "teacher": teacher,
        "teacher_lead": teacher_lead,
        "student": {"mean": 0.95},
        "validation": {"mean": 0.95},
        "gain": {
            "mean": gain,
            "interval": [gain - 0.01, gain + 0.01],
            "verdict": verdict,
            "seeds_needed": needed,
        },
    }


def summary(*points: dict[str, Any], chosen: str | None, ties: list[str] | None = None) -> Any:
    return {
        "points": list(points),
        "compared": len(points),
        "seeds": [0, 1, 2],
        "chosen": {"label": chosen, "ties": ties or []} if chosen else None,
        "label_curves": [],
    }


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_all_that_can_be_said_is_said():
    text = headline(
        summary(
            point("a", "helps"),
            point("b", "hurts", -0.03),
            point("c", "inconclusive", needed=4),
            {"label": "d", "failed": "x"},
            chosen="b",
            ties=["a", "c"],
        )
    )
    assert plain(text) == (
        "Of 4 points with 3 seeds each, distillation helps at 1 and hurts at 1, 1 inconclusive, "
        "1 failed. Best on validation, as are 2 more: b (95.0 %); there the gain on the test split "
        "is −3.0 points (−4.0 to −2.0 points), hurts."
    )


def test_nothing_found_is_no_finding():
    text = headline(summary(point("a", "inconclusive"), point("b", "inconclusive"), chosen="a"))
    assert "none shows an effect, 2 inconclusive." in plain(text)


def test_one_point_is_not_chosen():
    text = plain(headline(summary(point("a", "helps"), chosen="a")))
    assert "validation" not in text
    assert text.endswith("Its gain on the test split is +1.2 points (+0.2 to +2.2 points), helps.")


def test_nothing_but_failures():
    text = headline(summary({"label": "a", "failed": "x"}, chosen=None))
    assert plain(text) == "Of 1 point with 3 seeds each, none shows an effect, 1 failed."


def test_a_teacher_worse_than_the_student_is_named():
    poor = point("a", "helps", teacher=0.94, teacher_lead=(-0.03, -0.01))
    # below the students' mean, but not for certain
    good = point("b", "helps", teacher=0.94, teacher_lead=(-0.02, 0.01))
    text = headline(summary(poor, good, {"label": "c", "failed": "x"}, chosen="b"))
    assert text.startswith("At a the teacher is worse than the student from scratch. Of 3")
    everywhere = headline(summary(poor, {"label": "c", "failed": "x"}, chosen="a"))
    assert everywhere.startswith("At every point the teacher is worse than the student fr")
    untested = point("b", "helps", teacher=None)
    assert "the teacher" not in headline(summary(good, untested, chosen="b"))


def test_processors_that_differ_are_named():
    def told(*kinds: list[str]) -> str:
        points = [
            {**point(label, "helps"), "processors": kind}
            for label, kind in zip("abc", kinds, strict=True)
        ]
        return headline(summary(*points, {"label": "d", "failed": "x"}, chosen="a"))

    assert "rocessors" not in told(["x"], ["x"], ["x"])
    assert told(["x"], ["y"], ["x"]).endswith(
        " Processors differ, and with them the last bits of results: a, c on x; b on y."
    )
    assert told(["x", "y"], ["x", "y"], ["x", "y"]).endswith(": a, b, c on x and y.")


@pytest.mark.parametrize(
    ("curves", "points", "is_told"), [(1, 4, True), (1, 5, False), (2, 3, False), (1, 0, False)]
)
def test_what_a_teacher_is_worth_comes_first_where_it_is_short(
    curves: int, points: int, is_told: bool
):
    worth = {"alone": 900, "beyond": None, "interval": [520, None]}
    curve = {
        "title": "",
        "points": ["a", "b"],
        "worth": [{"labels": 100 * place, **worth} for place in range(1, points + 1)],
    }
    found = {**summary(point("a", "helps"), chosen="a"), "label_curves": [curve] * curves}
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
