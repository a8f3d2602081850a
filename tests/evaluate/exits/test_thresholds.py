import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.errors import CalibrationError
from kdtasks.edge.scores import NEVER, apply_policy
from kdtasks.evaluate.exits.rows import ExitRows
from kdtasks.evaluate.exits.search import candidate_thresholds, outcomes_of, pareto_front
from kdtasks.evaluate.exits.settings import ExitsParams
from kdtasks.evaluate.exits.thresholds import (
    OperatingPoint,
    cheapest_within,
    choose_thresholds,
    cross_fit,
    point_at,
    policy_outcomes,
    tradeoff,
)


def never_leave_early(rows: ExitRows) -> OperatingPoint:
    return point_at(rows, [NEVER] * (rows.scores.shape[1] - 1))


CASES = st.tuples(
    st.integers(0, 10_000), st.integers(1, 80), st.integers(1, 5), st.sampled_from([None, 3, 10])
)


def choose(rows: ExitRows, **settings: Any) -> OperatingPoint:
    return choose_thresholds(rows, ExitsParams(**settings))[0]


def within(rows: ExitRows, drop: float, grid: int = 201) -> OperatingPoint:
    """The cheapest point that loses at most `drop` on the rows themselves."""
    front = pareto_front(policy_outcomes(rows, grid=grid))
    return point_at(rows, cheapest_within(rows, front, drop))


def means(rows: ExitRows, thresholds) -> tuple[float, float]:
    exits = apply_policy(rows.scores, thresholds)
    cost = (rows.macs / rows.macs[-1])[exits].mean()
    return float(rows.correct[np.arange(len(exits)), exits].mean()), float(cost)


def test_choices_by_hand():
    rows = ExitRows(
        scores=np.array([[0.9, 0.9], [0.8, 0.9], [0.6, 0.9], [0.4, 0.9]]),
        correct=np.array([[True, True], [True, True], [False, True], [False, True]]),
        macs=np.array([20, 100]),
    )
    free = within(rows, 0.0)
    assert free.thresholds == pytest.approx((0.7,))
    assert (free.cost, free.accuracy) == (pytest.approx(0.6), 1.0)
    assert within(rows, 0.25).thresholds == (0.5,)
    assert choose(rows, mode="cost", max_cost=0.5).thresholds == (0.5,)
    # 2 % of compute short of the budget that the next image would need.
    assert choose(rows, mode="cost", max_cost=0.58).accuracy == 0.75
    assert [point.cost for point in tradeoff(rows)] == pytest.approx([0.2, 0.4, 0.6])
    assert [point.accuracy for point in tradeoff(rows)] == [0.5, 0.75, 1.0]


@given(CASES, st.floats(0.0, 0.5))
def test_drop_is_never_exceeded(make_rows, case, drop):
    seed, images, exits, levels = case
    rows = make_rows(seed, images=images, exits=exits, levels=levels)
    chosen = choose(rows, mode="drop", max_accuracy_drop=drop, grid=21)
    full = never_leave_early(rows)
    assert full.accuracy - chosen.accuracy <= drop + 1e-9
    assert chosen.cost <= full.cost
    assert means(rows, chosen.thresholds) == pytest.approx((chosen.accuracy, chosen.cost))


def test_what_is_lost_is_counted_on_rows_that_chose_nothing():
    """Every row of one kind leaves or none: 8 in 80 are wrong at the first exit, and less sure."""
    wrong = np.arange(80) % 10 == 0
    rows = ExitRows(
        scores=np.column_stack([np.where(wrong, 0.8, 0.9), np.ones(80)]),
        correct=np.column_stack([~wrong, np.ones(80, bool)]),
        macs=np.array([1, 2]),
    )
    settings = ExitsParams(mode="drop", max_accuracy_drop=0.2)
    chosen, expected = choose_thresholds(rows, settings)
    assert expected == pytest.approx(0.1)
    assert (chosen.accuracy, chosen.cost) == (0.9, 0.5)
    # no four fifths of the rows have fewer than 5 % of these: only the others leave
    settings = settings.model_copy(update={"max_accuracy_drop": 0.05})
    chosen, expected = choose_thresholds(rows, settings)
    assert (chosen.accuracy, expected) == (1.0, 0.0)
    assert chosen.cost == pytest.approx(0.9 * 0.5 + 0.1)


def test_luck_of_few_rows_is_not_taken_for_skill():
    """An exit that is right by chance alone: thresholds chosen on the rows themselves hide that."""
    generator = np.random.default_rng(0)
    rows = ExitRows(
        scores=generator.random((200, 3)),
        correct=np.column_stack([generator.random((200, 2)) < 0.9, np.ones(200, bool)]),
        macs=np.array([1, 2, 3]),
    )
    naive = within(rows, 0.02)
    assert naive.cost < 0.9
    found = choose(rows, mode="drop", max_accuracy_drop=0.02)
    assert found.cost > naive.cost


def test_no_division_cuts_a_group():
    """Five copies of each row: as groups they leave what the rows alone leave, or less."""
    generator = np.random.default_rng(0)
    alone = ExitRows(
        scores=generator.random((60, 3)),
        correct=np.column_stack([generator.random((60, 2)) < 0.9, np.ones(60, bool)]),
        macs=np.array([1, 2, 3]),
    )
    groups = np.repeat(np.arange(60), 5)
    settings = ExitsParams(mode="drop", max_accuracy_drop=0.05)
    expected = cross_fit(alone, settings, np.arange(60))
    assert expected == cross_fit(alone, settings)
    grouped = cross_fit(alone.take(groups), settings, groups)
    assert expected is not None
    assert grouped == pytest.approx(expected)
    cut = cross_fit(alone.take(groups), settings)
    assert cut is not None
    assert cut.allowed > expected.allowed  # copies on both sides hide the luck
    assert cross_fit(alone.take(groups), settings, groups // 10) is None


@pytest.mark.parametrize("count", [1, 9])
def test_too_few_rows_to_divide_leave_no_image_early(make_rows, count):
    rows = make_rows(0, images=count, exits=3)
    settings = ExitsParams(mode="drop", max_accuracy_drop=1.0)
    assert cross_fit(rows, settings) is None
    assert choose_thresholds(rows, settings) == (never_leave_early(rows), None)


@given(CASES, st.floats(0.0, 1.0))
def test_budget_is_never_exceeded(make_rows, case, share):
    seed, images, exits, levels = case
    rows = make_rows(seed, images=images, exits=exits, levels=levels)
    budget = float(rows.cost[0] + share * (1.0 - rows.cost[0]))
    chosen = choose(rows, mode="cost", max_cost=budget, grid=21)
    assert chosen.cost <= budget + 1e-9
    assert means(rows, chosen.thresholds) == pytest.approx((chosen.accuracy, chosen.cost))


@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from([3, 6]))
def test_grid_choice_is_the_brute_force_choice(make_rows, seed, exits, levels):
    rows = make_rows(seed, images=30, exits=exits, levels=levels)
    candidates = [candidate_thresholds(rows.scores[:, k], 201) for k in range(exits - 1)]
    combinations = list(itertools.product(*candidates))
    every = outcomes_of(rows, combinations)
    allowed = every.correct >= rows.correct[:, -1].sum() - 3  # a tenth of 30
    least = every.macs[allowed].min()
    chosen = within(rows, 0.1)
    assert chosen.cost == pytest.approx(least / (rows.macs[-1] * 30))
    assert chosen.accuracy * 30 == pytest.approx(
        every.correct[allowed & (every.macs == least)].max()
    )
    middle = float(rows.cost[0] + 1.0) / 2
    affordable = every.macs <= middle * rows.macs[-1] * 30 + 1e-6
    chosen = choose(rows, mode="cost", max_cost=middle)
    assert chosen.accuracy * 30 == pytest.approx(every.correct[affordable].max())


@given(CASES)
def test_tradeoff_rises_and_holds_every_choice(make_rows, case):
    seed, images, exits, levels = case
    rows = make_rows(seed, images=images, exits=exits, levels=levels)
    points = tradeoff(rows, grid=21)
    assert (np.diff([point.cost for point in points]) > 0).all()
    assert (np.diff([point.accuracy for point in points]) > 0).all()
    chosen = choose(rows, mode="drop", max_accuracy_drop=0.05, grid=21)
    assert chosen in [*points, never_leave_early(rows)]
    assert points == tradeoff(rows, grid=21)


def test_decimal_shares_are_counted_right(make_rows):
    # 0.29 · 100 is 28.999999999999996 in floats; 29 images may be lost.
    rows = ExitRows(
        scores=np.column_stack([np.linspace(1.0, 0.5, 100), np.ones(100)]),
        correct=np.column_stack([np.arange(100) < 71, np.ones(100, bool)]),
        macs=np.array([1, 2]),
    )
    assert within(rows, 0.29).accuracy == 0.71
    assert within(rows, 0.28).accuracy == 0.72


def test_one_exit_has_no_thresholds(make_rows):
    rows = make_rows(0, images=20, exits=1)
    chosen = choose(rows, mode="drop", max_accuracy_drop=0.0)
    assert (chosen.thresholds, chosen.cost) == ((), 1.0)
    assert tradeoff(rows) == [chosen]
    with pytest.raises(CalibrationError, match=r"exits\.max_cost is 0\.5, but the first of the 1"):
        choose(rows, mode="cost", max_cost=0.5)


def test_useless_exits_are_never_taken():
    rows = ExitRows(
        scores=np.tile(np.linspace(0.3, 0.9, 10)[:, None], 3),
        correct=np.column_stack([np.zeros((10, 2), bool), np.ones(10, bool)]),
        macs=np.array([1, 2, 3]),
    )
    assert choose(rows, mode="drop", max_accuracy_drop=0.0).thresholds == (
        NEVER,
        NEVER,
    )


def test_a_budget_below_the_first_exit_is_refused(make_rows):
    rows = make_rows(0, images=20, exits=3)
    with pytest.raises(CalibrationError, match=r"max_cost is 0\.001, but the first of the 3 exits"):
        choose(rows, mode="cost", max_cost=0.001)
