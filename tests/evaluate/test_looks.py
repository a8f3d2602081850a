"""When seeds are looked at, and what that may cost in false verdicts."""

import pytest

from kdtasks.evaluate.looks import LOOKS, look_at, more_seeds_needed


def test_all_looks_together_spend_no_more_than_the_error():
    assert sum(look.spending for look in LOOKS) == pytest.approx(1)
    assert [look.seeds for look in LOOKS] == sorted({look.seeds for look in LOOKS})


def test_the_last_look_that_the_seeds_allow():
    assert look_at(2) is None
    found = [look_at(seeds) for seeds in (3, 4, 5, 9, 10, 20, 400)]
    assert [look.seeds for look in found if look] == [3, 3, 5, 5, 10, 20, 20]
    assert LOOKS[1].confidence(0.95) == pytest.approx(0.98)


def test_seeds_needed_worked_by_hand():
    # Mean 0.01, s 0.01: t/√n is 1.68 at five seeds, 1.03 at ten, 0.64 at twenty.
    assert more_seeds_needed([0.0, 0.01, 0.02], 0.95) == 17


@pytest.mark.parametrize(
    "differences", [[0.1], [0.1, 0.1], [-0.1, 0.1], [0.1, -0.0999], [0.01, 0.02] * 10]
)
def test_seeds_needed_is_none_where_it_means_nothing(differences: list[float]):
    assert more_seeds_needed(differences, 0.95) is None
