import numpy as np
import pytest

from kdtasks.core.errors import DatasetError
from kdtasks.data.split import sample_stratified

STRATA = np.repeat([0, 1, 2], [60, 30, 10])


def test_keeps_the_shares_of_the_strata() -> None:
    rows = sample_stratified(STRATA, 50, seed=0, needed=4)
    assert np.bincount(STRATA[rows]).tolist() == [30, 15, 5]
    assert np.all(np.diff(rows) > 0)


def test_keeps_what_a_rare_stratum_needs() -> None:
    rows = sample_stratified(STRATA, 20, seed=0, needed=4)
    assert np.bincount(STRATA[rows]).tolist() == [11, 5, 4]


def test_the_seed_decides() -> None:
    first, again, other = (sample_stratified(STRATA, 50, seed=seed, needed=4) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("max_images", [100, 1000])
def test_takes_all_where_there_are_no_more(max_images: int) -> None:
    assert sample_stratified(STRATA, max_images, seed=0, needed=4).tolist() == list(range(100))


def test_too_small_a_choice_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"max_images is 11, at least 12 are needed"):
        sample_stratified(STRATA, 11, seed=0, needed=4)
