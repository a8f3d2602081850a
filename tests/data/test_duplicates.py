from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.records.data import Duplicate
from kdtasks.data.checks import (
    contradicting_rows,
    first_equal,
    mark_groups,
    shared_rows,
)
from kdtasks.data.groups import join_groups
from kdtasks.data.raw_dataset import RawDataset


def draw_images(values: list[int]) -> np.ndarray:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


def test_equal_pixels_are_found_by_their_first_row() -> None:
    first = first_equal(draw_images([5, 6, 5, 7, 6, 5]))
    assert first.tolist() == [0, 1, 0, 3, 1, 0]
    assert [rows.tolist() for rows in shared_rows(first)] == [[0, 2, 5], [1, 4]]
    assert shared_rows(first_equal(draw_images([]))) == []


def test_equal_images_are_found_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    images = draw_images([*range(40), *range(20)])
    monkeypatch.setattr("kdtasks.data.checks._COMPARED", 7)
    assert first_equal(images).tolist() == [*range(40), *range(20)]


def test_duplicates_are_listed_with_their_labels(tiny_dataset: Callable[..., RawDataset]) -> None:
    dataset = tiny_dataset([0, 1, 1, 0])
    dataset.images[2:] = dataset.images[:2]  # 0 and 2 differ in label, 1 and 3 as well
    marked = mark_groups(dataset, near=True)
    assert marked.duplicates == (
        Duplicate(("row[0]", "row[2]"), ("class_0", "class_1")),
        Duplicate(("row[1]", "row[3]"), ("class_1", "class_0")),
    )
    assert marked.groups is not None
    assert marked.groups.tolist() == [0, 1, 0, 1]
    assert contradicting_rows(dataset) == {0: 2, 1: 3, 2: 0, 3: 1}


def test_groups_and_duplicates_are_joined_into_chains(
    tiny_dataset: Callable[..., RawDataset],
) -> None:
    # 0 and 1 are of one image, 1 equals 2, 2 and 3 are of one image; 4 is alone.
    dataset = tiny_dataset([0] * 5, groups=np.array([7, 7, 8, 8, 9]))
    dataset.images[2] = dataset.images[1]
    groups = mark_groups(dataset, near=True).groups
    assert groups is not None
    assert groups.tolist() == [0, 0, 0, 0, 1]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_joined_groups_are_the_finest_that_hold_both(pairs: list[tuple[int, int]]) -> None:
    one, other = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    joined = join_groups(one, other)
    # Spread the least label over equal rows until nothing changes, as a slow check.
    slow = np.arange(len(pairs))
    for _ in pairs:
        for column in (one, other):
            for value in np.unique(column):
                slow[column == value] = slow[column == value].min()
    same = slow[:, None] == slow[None, :]
    assert np.array_equal(joined[:, None] == joined[None, :], same)
