"""What rows in groups are worth, and intervals that know it."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t

from kdtasks.evaluate.class_score import ClassScore
from kdtasks.evaluate.clusters import independent_fraction, members_of
from kdtasks.evaluate.intervals import (
    Method,
    accuracy_interval,
    bootstrap_interval,
    compare_paired,
    gain_interval,
    mcnemar_p_value,
    score_interval,
    wilson_interval,
)
from kdtasks.evaluate.settings import EvaluateParams

ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40)


def test_groups_are_numbered_from_0() -> None:
    assert members_of(None, 3).tolist() == [0, 1, 2]
    assert members_of(np.array([7, 3, 7]), 3).tolist() == [1, 0, 1]


@given(ANSWERS, st.floats(0.6, 0.99))
def test_rows_on_their_own_give_what_no_groups_give(
    answers: list[tuple[bool, bool]], confidence: float
) -> None:
    first, second = np.array(answers).T
    alone = np.random.default_rng(0).permutation(len(first))
    right = int(first.sum())
    assert accuracy_interval(first, alone, confidence) == wilson_interval(
        right, len(first), confidence
    )
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    assert gain_interval(first, second, alone, confidence) == score_interval(
        gained, lost, len(first), confidence
    )
    methods: tuple[Method, Method] = ("mcnemar", "bootstrap")
    for method in methods:
        compare = partial(compare_paired, method=method, confidence=confidence, samples=50, seed=1)
        rows = np.arange(len(first))
        assert compare(first, second) == compare(first, second, groups=rows)


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_are_worth_their_originals_and_no_more(copies: int) -> None:
    """The design effect of c copies of n rows is c · n / (n − 1); t stands for z."""
    right, originals = np.arange(40) < 30, 40
    groups = np.repeat(np.arange(originals), copies)
    ratio = (norm.ppf(0.975) / t.ppf(0.975, originals - 1)) ** 2
    worth = independent_fraction(right[groups].astype(float), groups, 0.95)
    assert worth == pytest.approx(ratio * (originals - 1) / originals / copies)
    low, high = accuracy_interval(right[groups], groups, 0.95)
    alone = wilson_interval(30, 40, 0.95)
    assert low < alone[0] < alone[1] < high
    narrow = accuracy_interval(right[groups], None, 0.95)
    assert alone[0] < narrow[0] < narrow[1] < alone[1]


def test_groups_without_spread_count_once_and_a_single_one_is_one_row() -> None:
    ratio = (norm.ppf(0.975) / t.ppf(0.975, 9)) ** 2
    groups = np.repeat(np.arange(10), 3)
    assert independent_fraction(np.ones(30), groups, 0.95) == pytest.approx(ratio / 3)
    assert independent_fraction(np.arange(4.0), np.zeros(4, int), 0.95) == 0.25
    assert accuracy_interval(np.ones(30, bool), groups, 0.95)[1] == 1.0


def test_bootstrap_draws_groups() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 1, 60)) < 0.7
    groups = np.repeat(np.arange(60), 4)
    alone = bootstrap_interval(first, second, 0.9, 500, 3)
    copied = bootstrap_interval(first[:, groups], second[:, groups], 0.9, 500, 3, groups)
    assert copied == pytest.approx(alone)


def test_mcnemar_counts_a_group_by_its_balance() -> None:
    first = np.array([True, True, False, True, False, False, True])
    second = np.array([False, False, True, False, True, False, True])
    groups = np.array([0, 0, 0, 1, 1, 2, 2])
    found = compare_paired(
        first, second, method="mcnemar", confidence=0.95, samples=1, seed=0, groups=groups
    )
    # group 0 gains one on balance, group 1 none, group 2 never differs
    assert found.p_value == mcnemar_p_value(1, 0) == 1.0
    assert (found.rows, found.gained, found.lost) == (3, 3, 2)
    assert found.difference == pytest.approx(1 / 7)


def test_a_score_counts_groups_but_averages_rows() -> None:
    correct = np.array([True, True, True, False])
    answers = (np.ones(4, int), correct.astype(int), ("no", "yes"), EvaluateParams())
    score = ClassScore(*answers, np.array([0, 0, 0, 1]))
    assert (score.rows, score.size.rows, score.value) == (2, 4, 0.75)
    assert ClassScore(*answers).rows == 4
