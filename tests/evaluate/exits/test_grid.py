import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.edge.scores import ALWAYS, NEVER
from kdtasks.evaluate.exits.search import candidate_thresholds, grid_outcomes, outcomes_of


def test_candidates_lie_between_scores():
    found = candidate_thresholds(np.array([0.5, 0.25, 0.5, 1.0]), 201)
    assert found.tolist() == [ALWAYS, 0.375, 0.75, NEVER]


def test_candidates_are_quantiles_when_there_are_too_many():
    found = candidate_thresholds(np.linspace(0.0, 1.0, 1001), 5)
    np.testing.assert_allclose(found, [ALWAYS, 0.25, 0.5, 0.75, NEVER], atol=0.001)
    assert candidate_thresholds(np.linspace(0.0, 1.0, 1001), 2).tolist() == [ALWAYS, NEVER]


def test_neighbouring_floats_are_parted():
    low = 0.7
    high = np.nextafter(low, 1.0)
    _, middle, _ = candidate_thresholds(np.array([low, high]), 201)
    assert low < middle <= high


@given(
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=60),
    st.integers(2, 20),
)
def test_candidates_part_the_scores_and_ascend(scores, number):
    found = candidate_thresholds(np.array(scores), number)
    assert 2 <= len(found) <= number
    assert (np.diff(found) > 0).all()
    parts = {int(np.sum(np.array(scores) >= threshold)) for threshold in found}
    assert len(parts) == len(found)


@pytest.mark.parametrize("exits", [1, 2, 3, 4])
@pytest.mark.parametrize("levels", [None, 4])
def test_grid_is_the_brute_force(make_rows, exits, levels):
    for seed in range(10):
        rows = make_rows(seed, images=40, exits=exits, levels=levels)
        found = grid_outcomes(rows, 8)
        candidates = [candidate_thresholds(rows.scores[:, k], 8) for k in range(exits - 1)]
        combinations = list(itertools.product(*candidates))
        expected = outcomes_of(rows, combinations)
        np.testing.assert_array_equal(found.thresholds, expected.thresholds)
        np.testing.assert_array_equal(found.correct, expected.correct)
        np.testing.assert_array_equal(found.macs, expected.macs)


def test_forty_thousand_pairs_of_thousands_of_images_are_counted_exactly(make_rows):
    rows = make_rows(0, images=10_000, exits=3)
    found = grid_outcomes(rows, 201)
    assert len(found.correct) > 20_000
    some = np.linspace(0, len(found.correct) - 1, 100).astype(int)
    expected = outcomes_of(rows, found.thresholds[some])
    np.testing.assert_array_equal(found.correct[some], expected.correct)
    np.testing.assert_array_equal(found.macs[some], expected.macs)


def test_scores_of_any_size_have_thresholds_between_them():
    # An energy may be negative, or above every bound that a probability has.
    found = candidate_thresholds(np.array([-40.0, -10.0, 70.0]), 201)
    assert found.tolist() == [ALWAYS, -25.0, 30.0, NEVER]
