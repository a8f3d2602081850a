"""The clock of a search, and what is expected of the next trial."""

import pytest

from kdtasks.orchestrate.search.budget import Budget, expected_seconds


def test_the_clock_runs_from_the_first_trial_on():
    now = [100.0]
    budget = Budget(2.0, now=lambda: now[0])
    now[0] = 500.0
    assert budget.left == 120
    budget.begin()
    now[0] = 530.0
    budget.begin()  # runs already
    assert budget.left == 90
    now[0] = 1000.0
    assert budget.left == 0


@pytest.mark.parametrize(
    ("epochs", "taken", "expected"),
    [
        (0, [], None),
        (4, [], None),
        (0, [(0, 10.0), (0, 14.0), (0, 50.0)], 14.0),
        (4, [(0, 10.0)], None),  # nothing has been trained
        # an epoch took (30 − 10) / 4 = 5 s and (70 − 10) / 20 = 3 s: 10 + 24 · 4
        (24, [(0, 10.0), (4, 30.0), (20, 70.0)], 106.0),
        (8, [(4, 20.0)], 40.0),  # without a conversion all counts as training
        (8, [(0, 10.0), (4, 9.0)], 10.0),  # never less than a conversion
        (0, [(4, 20.0)], None),
    ],
)
def test_what_a_trial_is_expected_to_take(epochs, taken, expected):
    assert expected_seconds(epochs, taken) == expected
