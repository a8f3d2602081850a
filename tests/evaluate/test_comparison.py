"""Golden values, verdicts and error rates of the paired comparison."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from kdtasks.core.errors import KdTasksError
from kdtasks.core.records import Refusal
from kdtasks.core.records.evaluate import Gain
from kdtasks.evaluate.class_score import ClassScore
from kdtasks.evaluate.comparison import gain_of, holm, verdict_of
from kdtasks.evaluate.intervals import bootstrap_interval, score_interval, wilson_interval
from kdtasks.evaluate.score import compare_scores
from kdtasks.evaluate.settings import EvaluateParams


def gain(first: Mapping[int, float], second: Mapping[int, float]) -> Gain:
    return gain_of(first, second, bootstrap=None, confidence=0.95)


def test_gain_of_three_seeds() -> None:
    # Differences 0.010, 0.020, 0.030: mean 0.02, s = 0.01. The first look may spend a fifth of
    # 5 %: t(2) at 99 % is 9.924843, half 9.924843 · 0.01 / √3 = 0.057301.
    result = gain({0: 0.96, 2: 0.97, 1: 0.95}, {0: 0.95, 1: 0.93, 2: 0.94})
    assert result.by_seed == pytest.approx({"0": 0.01, "1": 0.02, "2": 0.03})
    assert list(result.by_seed) == ["0", "1", "2"]
    assert result.mean == pytest.approx(0.02)
    assert result.interval == pytest.approx((-0.037301, 0.077301), abs=1e-6)
    assert result.verdict == "inconclusive"
    # 0.02 / 0.01 = 2: at five seeds, t(4)/√5 at 98 % is 3.747/2.236 = 1.68, below.
    assert (result.judged, result.seeds_needed) == (3, 2)


def test_verdict_follows_the_interval() -> None:
    better, worse = {0: 0.960, 1: 0.961, 2: 0.962}, {0: 0.940, 1: 0.942, 2: 0.941}
    assert gain(better, worse).verdict == "helps"
    assert gain(worse, better).verdict == "hurts"
    assert gain(better, worse).seeds_needed is None
    assert verdict_of((0.0, 0.1)) == "inconclusive"


def test_one_seed_or_equal_gains_cannot_tell() -> None:
    one = gain({7: 0.96}, {7: 0.90})
    assert (one.interval, one.verdict, one.seeds_needed) == (None, "inconclusive", None)
    equal = gain({0: 0.9, 1: 0.9}, {0: 0.8, 1: 0.8})
    assert (equal.interval, equal.verdict) == (None, "inconclusive")


def test_seeds_between_two_looks_change_no_verdict() -> None:
    gains = [0.02, 0.021, 0.019, -0.5, -0.4]
    four, five = (
        gain(dict(enumerate(gains[:count])), dict.fromkeys(range(count), 0.0)) for count in (4, 5)
    )
    assert (four.judged, four.verdict, four.mean) == (3, "helps", pytest.approx(0.02))
    assert list(four.by_seed.values()) == gains[:4]
    assert (five.judged, five.verdict) == (5, "inconclusive")


@pytest.mark.parametrize(("first", "second"), [({0: 0.9}, {1: 0.9}), ({}, {})])
def test_other_seeds_are_refused(first: dict[int, float], second: dict[int, float]) -> None:
    with pytest.raises(KdTasksError, match="needs the same seeds on both sides"):
        gain(first, second)


def test_a_useless_method_seldom_helps() -> None:
    generator = np.random.default_rng(2)
    verdicts = []
    for _ in range(1500):
        scratch, distilled = generator.normal(0.95, 0.01, size=(2, 3))
        verdicts.append(gain(dict(enumerate(distilled)), dict(enumerate(scratch))).verdict)
    assert verdicts.count("helps") / 1500 < 0.04
    assert verdicts.count("hurts") / 1500 < 0.04
    assert verdicts.count("helps") > 0


def test_bootstrap_matches_drawing_the_rows() -> None:
    generator = np.random.default_rng(3)
    first, second = generator.random((2, 300)) < 0.9, generator.random((2, 300)) < 0.8
    drawn = [
        (first[:, rows].mean() - second[:, rows].mean())
        for rows in generator.integers(0, 300, size=(4000, 300))
    ]
    expected = np.quantile(drawn, [0.025, 0.975])
    assert bootstrap_interval(first, second, 0.95, 4000, 0) == pytest.approx(expected, abs=0.004)


def test_bootstrap_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(4)
    true_gain, covered = _true_gain(), 0
    for trial in range(800):
        hard = generator.random(200)  # shared difficulty: the two models fail on the same rows
        first = (hard + generator.normal(0, 0.1, (2, 200))) < 0.9
        second = (hard + generator.normal(0, 0.1, (2, 200))) < 0.8
        low, high = bootstrap_interval(first, second, 0.95, 400, trial)
        covered += low <= true_gain <= high
    assert 0.92 < covered / 800 < 0.97


def _true_gain() -> float:
    grid = np.random.default_rng(5)
    hard, noise = grid.random(2_000_000), grid.normal(0, 0.1, 2_000_000)
    return float(np.mean(hard + noise < 0.9) - np.mean(hard + noise < 0.8))


@given(st.integers(0, 2**32 - 1))
def test_bootstrap_is_reproducible_and_antisymmetric_in_range(seed: int) -> None:
    answers = np.random.default_rng(seed).random((2, 2, 40)) < 0.8
    low, high = bootstrap_interval(answers[0], answers[1], 0.9, 200, seed)
    assert -1 <= low <= high <= 1
    assert (low, high) == bootstrap_interval(answers[0], answers[1], 0.9, 200, seed)


def test_equal_models_get_the_score_interval() -> None:
    """Nothing to draw from: on other images they may differ all the same."""
    answers = np.ones((2, 50), dtype=bool)
    found = bootstrap_interval(answers, answers, 0.95, 100, 0)
    assert found == score_interval(0, 0, 50, 0.95)
    assert found[0] < 0 < found[1]


def score(mistakes: int, *, confidence: float = 0.95) -> ClassScore:
    """A model that gets the first of ten images wrong, so many of them."""
    settings = EvaluateParams(confidence=confidence, bootstrap_samples=500)
    return ClassScore(
        np.ones(10, int), (np.arange(10) >= mistakes).astype(int), ("no", "yes"), settings
    )


def test_compare_gives_the_whole_content() -> None:
    content = compare_scores(score(1), {1: score(4), 0: score(3)}, {0: score(2), 1: score(1)})
    assert content.rows == 10
    assert content.teacher
    assert content.teacher.accuracy == 0.9
    assert content.teacher.interval == wilson_interval(9, 10, 0.95)
    assert content.student
    assert content.student.by_seed == {"0": 0.7, "1": 0.6}
    assert content.student.mean == pytest.approx(0.65)
    assert content.student.accuracy is None  # of masks alone
    assert content.distill.by_seed == {"0": 0.8, "1": 0.9}
    assert isinstance(content.gain, Gain)
    assert content.gain.by_seed == pytest.approx({"0": 0.1, "1": 0.3})
    assert content.gain.mean == pytest.approx(0.2)
    assert (content.gain.judged, content.gain.interval) == (2, None)  # the first look is at three
    assert content.gain.verdict == "inconclusive"
    # Right answers less the students' mean, of ten images: 0 … 4 of them tell the models apart.
    low, high = content.teacher_lead or (1, 0)
    assert low < 0.9 - 0.65 < high
    assert content.teacher_worse_than_student is False


def test_students_are_compared_without_a_teacher_that_cannot_answer() -> None:
    student, distilled = {1: score(4), 0: score(3)}, {0: score(2), 1: score(1)}
    content = compare_scores(None, student, distilled)
    tested = compare_scores(score(1), student, distilled)
    nothing = {"teacher": None, "teacher_lead": None}
    assert content == tested.model_copy(update=nothing)


def test_without_a_student_alone_nothing_is_gained_over_it() -> None:
    distilled = {0: score(2), 1: score(1)}
    content = compare_scores(score(1), {}, distilled, {"hard": {0: score(3), 1: score(3)}})
    assert content.student is None
    assert content.teacher_lead is None
    assert content.teacher_worse_than_student is False
    assert isinstance(content.gain, Refusal)
    assert "students see no label of the training split" in content.gain.refused
    assert content.distill == compare_scores(None, distilled, distilled).distill
    assert content.arms["hard"].mean == pytest.approx(0.7)
    assert content.arms["hard"].gain is None


def test_compare_notices_a_teacher_worse_than_its_student() -> None:
    content = compare_scores(score(5, confidence=0.9), {0: score(0)}, {0: score(0)})
    assert content.teacher_worse_than_student is True
    # One image of ten may be chance: a resample without it is drawn in a third of all cases.
    content = compare_scores(score(1, confidence=0.9), {0: score(0)}, {0: score(0)})
    assert content.teacher_worse_than_student is False
    assert isinstance(content.gain, Gain)
    assert content.gain.interval is None


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, never below the one before
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@settings(max_examples=10)  # a correction takes statsmodels a third of a second
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
def test_holm_agrees_with_statsmodels(p_values: list[float]):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
