import itertools

import numpy as np
import pytest

from kdtasks.edge.scores import ALWAYS, NEVER
from kdtasks.evaluate.exits.rows import ExitRows
from kdtasks.evaluate.exits.search import (
    candidate_thresholds,
    cheapest,
    coordinate_descent,
    line_outcomes,
    outcomes_of,
    pareto_front,
)


def test_a_line_by_hand():
    rows = ExitRows(
        scores=np.array([[0.9, 0.9], [0.6, 0.9], [0.6, 0.9], [0.4, 0.9]]),
        correct=np.array([[True, True], [False, True], [True, False], [False, False]]),
        macs=np.array([10, 30]),
    )
    line = line_outcomes(rows, (0.3,), 0)
    assert line.thresholds[:, 0].tolist() == [NEVER, 0.75, 0.5, ALWAYS]
    assert line.correct.tolist() == [2, 2, 2, 2]
    assert line.macs.tolist() == [120, 100, 60, 40]


@pytest.mark.parametrize("levels", [None, 5])
def test_a_line_is_what_the_policy_comes_to(make_rows, levels):
    for seed, k in itertools.product(range(10), range(3)):
        rows = make_rows(seed, images=50, exits=4, levels=levels)
        line = line_outcomes(rows, (0.9, 0.7, 0.8), k)
        expected = outcomes_of(rows, line.thresholds)
        np.testing.assert_array_equal(line.correct, expected.correct)
        np.testing.assert_array_equal(line.macs, expected.macs)
        held = np.delete(line.thresholds, k, axis=1)
        assert (held == np.delete([0.9, 0.7, 0.8], k)).all()


def test_a_line_that_nobody_reaches_is_one_point(make_rows):
    rows = make_rows(0, images=10, exits=3)
    assert line_outcomes(rows, (ALWAYS, 0.5), 1).thresholds.tolist() == [[ALWAYS, NEVER]]


def test_a_price_decides_between_errors_and_compute(make_rows):
    rows = make_rows(0, images=200, exits=2)
    line = pareto_front(line_outcomes(rows, (NEVER,), 0))
    best = outcomes_of(rows, [cheapest(line, rows, price=0.0)])
    assert best.correct[0] == line.correct.max()
    assert cheapest(line, rows, price=1e6) == (ALWAYS,)


@pytest.mark.parametrize("seed", range(6))
def test_four_exits_are_within_reach_of_the_brute_force(make_rows, seed):
    rows = make_rows(seed, images=60, exits=4, levels=8)
    candidates = [candidate_thresholds(rows.scores[:, k], 201) for k in range(3)]
    exact = pareto_front(outcomes_of(rows, list(itertools.product(*candidates))))
    found = pareto_front(coordinate_descent(rows))
    whole = rows.macs[-1] * len(rows.scores)
    for correct, macs in zip(exact.correct, exact.macs, strict=True):
        # For each exact point: one as accurate for at most one point of compute more.
        as_accurate = found.macs[found.correct >= correct]
        assert len(as_accurate)
        assert (as_accurate.min() - macs) / whole <= 0.01
    # What descent claims is what its thresholds come to.
    again = outcomes_of(rows, found.thresholds)
    np.testing.assert_array_equal(again.correct, found.correct)
    np.testing.assert_array_equal(again.macs, found.macs)
