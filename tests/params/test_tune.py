"""Seeds of the verdict are none that settings were chosen with."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.errors import ParamsError
from kdtasks.params import parse_params
from kdtasks.params.tune import fresh_seeds

SEEDS = st.lists(st.integers(0, 12), unique=True, max_size=8)


@given(SEEDS, SEEDS)
def test_fresh_seeds_are_as_many_others_and_keep_what_they_can(seeds: list[int], used: list[int]):
    fresh = fresh_seeds(seeds, used)
    assert len(set(fresh)) == len(fresh) == len(seeds)
    assert not set(fresh) & set(used)
    assert set(seeds) - set(used) <= set(fresh)
    assert fresh_seeds(fresh, used) == fresh


def test_the_least_free_ones_take_the_places_of_those_that_were_used():
    assert fresh_seeds([0, 1, 2], [0, 2]) == (1, 3, 4)


def test_params_with_a_seed_that_tuned_are_refused(changed: Callable[..., Any]):
    content = changed("tune.seeds", [0, 3])
    content["seeds"] = [0, 1]
    with pytest.raises(ParamsError, match=r"seeds holds \[0\], .*others: \[1, 2\]"):
        parse_params(content)
