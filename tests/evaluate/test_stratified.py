"""The bootstrap within the classes: against distributions that are known, and what it must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from kdtasks.evaluate.stratified import ComparedPredictions, stratified_interval

# The standard error of a 2.5 % quantile of 20,000 draws is √(0.025 · 0.975 / 20,000) over the
# density there, which is 0.3 or more in these tests: below 0.004.
SAMPLES, CLOSE = 20_000, 0.015


def interval(compared: ComparedPredictions, metric: str = "balanced_accuracy", **more: int):
    options = {"samples": SAMPLES, "seed": 0} | more
    return stratified_interval(compared, metric, confidence=0.95, **options)


def answers(*counts: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and what is answered: of each class so many rightly, and so many with the next."""
    labels = np.repeat(np.arange(len(counts)), [sum(pair) for pair in counts])
    given = [
        answer
        for k, (right, wrong) in enumerate(counts)
        for answer in [k] * right + [(k + 1) % len(counts)] * wrong
    ]
    return labels, np.array(given)


def test_of_one_class_in_doubt_it_is_half_of_jeffreys_interval():
    # 20,000 images of the other class are as good as certain: the mean recall is (1 + r) / 2.
    labels, given = answers((6, 2), (20_000, 0))
    low, high = interval(ComparedPredictions(labels, (given[None],), 2))
    expected = beta(6.5, 2.5).ppf([0.025, 0.975])
    assert (low, high) == pytest.approx((1 + expected) / 2, abs=CLOSE)


def test_the_f1_of_a_rare_class_follows_from_its_recall():
    # F1 of the rare class is 2 r / (1 + r), that of the other, of so many images, is 1.
    labels, given = answers((6, 2), (200_000, 0))
    low, high = interval(ComparedPredictions(labels, (given[None],), 2), "macro_f1", samples=4000)
    recall = beta(6.5, 2.5).ppf([0.025, 0.975])
    expected = (1 + 2 * recall / (1 + recall)) / 2
    assert (low, high) == pytest.approx(expected, abs=3 * CLOSE)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
def test_a_class_without_an_error_is_not_certain(metric: str):
    few, many = (
        interval(ComparedPredictions(labels, (given[None],), 2), metric)
        for labels, given in (answers((2, 0), (50, 0)), answers((50, 0), (50, 0)))
    )
    assert few[0] < many[0] < 1
    assert few[1] < 1.0


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
def test_two_models_that_answer_alike_may_differ_elsewhere(metric: str):
    labels, given = answers((3, 1), (40, 2))
    low, high = interval(ComparedPredictions(labels, (given[None], given[None]), 2), metric)
    assert low < 0 < high
    assert low == pytest.approx(-high, abs=CLOSE)


def test_a_sides_score_is_the_mean_of_its_models():
    labels, good = answers((30, 2), (40, 2))
    bad = 1 - good
    mixed = interval(ComparedPredictions(labels, (np.stack([good, bad]), np.stack([bad, good])), 2))
    assert mixed[0] < 0 < mixed[1]
    assert mixed[1] - mixed[0] < 0.2  # the same models on both sides: only what is unseen differs


def test_images_of_a_group_count_once():
    labels, given = answers((30, 10), (60, 20))
    alone = interval(ComparedPredictions(labels, (given[None],), 2))
    copies = [np.repeat(array, 5) for array in (labels, given, np.arange(len(labels)))]
    grouped = interval(ComparedPredictions(copies[0], (copies[1][None],), 2, copies[2]))
    ungrouped = interval(ComparedPredictions(copies[0], (copies[1][None],), 2))
    widths = [high - low for low, high in (alone, grouped, ungrouped)]
    # Besides Student's t for 120 groups, 1 % wider than the normal's, groups are single images.
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] < widths[0] / 2  # √5


def test_a_class_without_an_image_is_left_out():
    labels, given = answers((6, 2), (20, 0))
    with_third = ComparedPredictions(labels, (given[None],), 3)
    low, high = interval(with_third)
    assert 0 < low < high < 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 4), st.booleans(), st.booleans())
def test_it_is_reproducible_ordered_and_in_range(
    seed: int, classes: int, paired: bool, shared: bool
):
    draw = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), draw.integers(0, classes, 30)])
    sides = tuple(draw.integers(0, classes, (2, len(labels))) for _ in range(1 + paired))
    groups = draw.integers(0, 12, len(labels)) if shared else None
    compared = ComparedPredictions(labels, sides, classes, groups)
    for metric in ("balanced_accuracy", "macro_f1"):
        low, high = interval(compared, metric, samples=100, seed=seed)
        assert -1.0 * paired <= low <= high <= 1.0
        assert (low, high) == interval(compared, metric, samples=100, seed=seed)
