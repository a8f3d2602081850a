"""Numbers and sentences as they are read."""

import pytest

from kdtasks.core import text
from kdtasks.core.records.report import ExitChange
from kdtasks.edge.scores import ALWAYS, NEVER
from kdtasks.report import sentences
from tests.tools.records import (
    gain_of,
    latency,
    model_summary,
    selection,
    statistics,
    variant_summary,
)

S = text.SPACE


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (text.percent(0.979), f"97.9{S}%"),
        (text.percent(None), "–"),
        (text.percent_with_range(0.964, (0.92, 1.0)), f"96.4{S}% (92.0{S}–{S}100.0{S}%)"),
        (text.percent_with_range(0.964, None), f"96.4{S}%"),
        (text.percent_range([0.942, 0.961]), f"94.2{S}–{S}96.1{S}%"),
        (text.points(0.0134), f"+1.3{S}points"),
        (text.points(-0.004), f"−0.4{S}points"),
        (text.points(-0.0001), f"0.0{S}points"),
        (text.points(0.02, signed=False), f"2.0{S}points"),
        (text.points(0.0117, 2), f"+1.17{S}points"),
        (text.points_range((-0.002, 0.02)), f"−0.2{S}to{S}+2.0{S}points"),
        (text.kilobytes(41_260), f"41.3{S}kB"),
        (text.kilobytes(412_600), f"413{S}kB"),
        (text.kilobytes(2_500_000), f"2.5{S}MB"),
        (text.milliseconds(0.0482), f"0.048{S}ms"),
        (text.milliseconds(3.14159), f"3.14{S}ms"),
        (text.milliseconds(314.2), f"314{S}ms"),
        (text.count(12345), "12,345"),
        (sentences.threshold(0.93), "0.930"),
        (sentences.threshold(NEVER), "never"),
        (sentences.threshold(ALWAYS), "always"),
        (sentences.threshold(-12.5), "-12.500"),
        (sentences.threshold(None), "–"),
        (text.millions(840), "840"),
        (text.millions(12_340), f"12.3{S}k"),
        (text.millions(1_234_000), f"1.23{S}M"),
        (text.seeds(1), f"1{S}seed"),
        (text.seeds(3), f"3{S}seeds"),
    ],
)
def test_numbers(written: str, expected: str) -> None:
    assert written == expected


def test_headline_in_full() -> None:
    change = ExitChange(mean=-0.004, interval=(-0.006, -0.002), verdict="hurts", cost=0.32)
    found = statistics(
        teacher=model_summary(accuracy=0.979),
        student=model_summary(mean=0.951, interval=(0.948, 0.954)),
        distill=model_summary(mean=0.964, interval=(0.962, 0.966)),
        gain=gain_of(0.013, (0.009, 0.017), "helps"),
        variants={"int8": variant_summary(bytes=41_000, exit_change=change)},
    )
    assert sentences.headline(found, selection("int8", latency_ms=latency(0.05))).replace(
        S, " "
    ) == (
        "Teacher 97.9 %; student alone 95.1 % (94.8 – 95.4 %), distilled 96.4 % (96.2 – 96.6 %) "
        "(paired over 3 seeds: "
        "+1.3 points (+0.9 to +1.7 points), helps); shipped int8 model: 41.0 kB, mean 0.050 ms "
        "an image, 3.1× less compute by early exits at −0.4 points."
    )


def test_headline_owns_up() -> None:
    found = statistics(
        seeds=(0,),
        teacher=model_summary(accuracy=0.979),
        student=model_summary(mean=0.951, interval=None),
        distill=model_summary(mean=0.964, interval=None),
        gain=gain_of(0.013, None, "inconclusive", judged=1),
    )
    text = sentences.headline(found, selection(None)).replace(S, " ")
    assert "paired over 1 seed: +1.3 points, inconclusive, as verdicts begin at three seeds" in text
    assert "nothing is shipped, no variant is within the limits" in text
    text = sentences.headline(statistics(), selection(None))
    assert text.startswith("Teacher and students were not compared (missing)")


@pytest.mark.parametrize(
    ("word", "needed", "text"),
    [
        ("helps", None, "helps"),
        ("inconclusive", None, "inconclusive"),
        ("inconclusive", 1, "inconclusive, needs about 1 more seed"),
        ("inconclusive", 12, "inconclusive, needs about 12 more seeds"),
    ],
)
def test_verdicts_say_what_is_missing(word: str, needed: int | None, text: str) -> None:
    assert sentences.verdict(word, needed) == text


def test_headline_says_first_that_the_teacher_is_poor() -> None:
    found = statistics(
        teacher=model_summary(accuracy=0.93),
        student=model_summary(mean=0.951, interval=(0.948, 0.954)),
        distill=model_summary(mean=0.953, interval=(0.945, 0.961)),
        gain=gain_of(0.002, (-0.003, 0.007), "inconclusive", seeds_needed=9),
        teacher_worse_than_student=True,
    )
    assert sentences.headline(found, selection(None)).replace(S, " ") == (
        "The teacher (93.0 %) is less accurate than the student alone (95.1 % on average). "
        "Teacher 93.0 %; student alone 95.1 % (94.8 – 95.4 %), distilled 95.3 % (94.5 – 96.1 %) "
        "(paired over 3 seeds: "
        "+0.2 points (−0.3 to +0.7 points), inconclusive, needs about 9 more seeds); nothing is "
        "shipped, no variant is within the limits."
    )


def test_models_that_were_still_improving_are_named_with_what_to_raise() -> None:
    found = statistics(
        teacher=model_summary(accuracy=0.93, rise=0.02),
        student=model_summary(mean=0.951),
        distill=model_summary(mean=0.953, rise=0.0112),
    )
    assert (sentences.still_improving(found) or "").replace(S, " ") == (
        "Still improving when training ended: over the second half of the epochs the validation "
        "accuracy rose, of the teacher by 2.0 points, the distilled student by 1.1 points. More "
        "epochs would probably bring more: raise teacher.epochs and distill.epochs."
    )
    both = statistics(student=model_summary(rise=0.01), distill=model_summary(rise=0.01))
    told = sentences.still_improving(both) or ""
    assert told.endswith("raise distill.epochs.")
    own = statistics(
        student=model_summary(rise=0.01, epochs=40), distill=model_summary(epochs=30, rise=0.01)
    )
    told = sentences.still_improving(own) or ""
    assert told.endswith("raise student.epochs and distill.epochs.")
    assert sentences.still_improving(statistics()) is None
