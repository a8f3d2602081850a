"""Images that stand out: each measure on values worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.data.outliers import (
    class_distances,
    image_outliers,
    levels_of,
    outside_fences,
    size_outliers,
)
from kdtasks.edge.decoder import Header


def plain(*levels: int, side: int = 8) -> np.ndarray:
    """An image of one level for each: uint8 [N, side, side, 1]."""
    return np.repeat(np.array(levels, np.uint8), side * side).reshape(-1, side, side, 1)


def checked(level: int, count: int) -> np.ndarray:
    """Chessboards about a mean level, whose contrast is 20."""
    board = np.indices((8, 8)).sum(axis=0) % 2 * 40 - 20 + level
    return np.repeat(board.astype(np.uint8)[None, ..., None], count, axis=0)


def sized(*sizes: tuple[int, int]) -> list[Header]:
    return [Header(size, 1, False, False, "PNG") for size in sizes]


def test_values_beyond_the_outer_fences_are_far_out():
    # quartiles 1 and 3, so the fences lie at 1 − 3·2 = −5 and 3 + 3·2 = 9
    values = np.array([0, 1, 1, 2, 2, 2, 3, 3, 9.5, 9.0, -5.5])
    assert np.quantile(values, (0.25, 0.5, 0.75)).tolist() == [1, 2, 3]
    low, high = outside_fences(values, 0.0)
    assert values[low].tolist() == [-5.5]
    assert values[high].tolist() == [9.5]
    assert not outside_fences(values, 7.5)[
        1
    ].any()  # the median is 2: 9.5 is not more than 7.5 away


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_the_middle_half_is_never_far_out(numbers: list[float]):
    values = np.array(numbers)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    beyond = np.logical_or(*outside_fences(values, 0.0))
    assert not beyond[(values >= low) & (values <= high)].any()
    assert not np.logical_or(*outside_fences(np.full(5, middle), 0.0)).any()


def test_level_and_contrast_are_those_of_numpy(noise):
    images = np.stack([noise(seed, 9, 5) for seed in range(600)])  # more than one block
    levels = levels_of(images)
    np.testing.assert_allclose(levels.mean, images.mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(levels.contrast, images.std(axis=(1, 2)).max(axis=1), rtol=1e-4)
    assert [len(part) for part in levels_of(images[:0])] == [0, 0]


def test_the_distance_is_the_root_mean_square_from_the_median_image():
    images = np.concatenate([plain(10, 10, 14), plain(200)])
    images[3, :4] = 100  # the upper half: far by 100 in half of the blocks of a class of its own
    distances, typical = class_distances(images, np.array([0, 0, 0, 0]))
    # the median of 10, 10, 14 and 100 (or 200) is 12
    expected = [2, 2, 2, np.sqrt((88**2 + 188**2) / 2)]
    np.testing.assert_allclose(distances, expected, rtol=1e-6)
    assert typical.tolist() == [2, 2, 2, 2]
    alone, _ = class_distances(images, np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(alone, [0, 0, 4, 0])


def test_of_a_large_class_some_images_tell_what_is_usual(monkeypatch: pytest.MonkeyPatch):
    for limit in ("_MOST_OF_MEDIAN", "_MOST_AT_ONCE"):
        monkeypatch.setattr(f"kdtasks.data.outliers.{limit}", 2)
    # in three parts: the median of the first and the last
    distances, typical = class_distances(plain(10, 10, 40, 100, 12), np.zeros(5, int))
    assert distances.tolist() == [1, 1, 29, 89, 1]
    assert typical.tolist() == [1] * 5


def test_images_smaller_than_the_blocks_are_compared_pixel_by_pixel():
    images = np.zeros((3, 2, 3, 1), np.uint8)
    images[2, 0, 0] = 6
    distances, _ = class_distances(images, np.zeros(3, int))
    np.testing.assert_allclose(distances, [0, 0, np.sqrt(36 / 6)])


def test_each_kind_is_found_and_told():
    images = np.concatenate([checked(120, 20), checked(25, 1), checked(230, 1), plain(120)])
    found = image_outliers(images, np.zeros(len(images), int), levels_of(images))
    rows = {kind: [one.row for one in odd] for kind, odd in found.items()}
    # 230 is farther from 120 than 25 is
    assert rows == {"far": [21, 20], "dark": [20], "bright": [21], "uniform": [22]}
    assert found["dark"][0].note == "mean level 25"
    assert found["uniform"][0].note == "contrast 0.0"


def test_what_is_usual_in_its_class_is_not_far():
    images = np.concatenate([checked(60, 10), checked(190, 10)])
    images[0] = checked(190, 1)
    labels = np.repeat([0, 1], 10)
    found = image_outliers(images, labels, levels_of(images))
    assert [one.row for one in found["far"]] == [0]
    few = image_outliers(images[:7], labels[:7], levels_of(images[:7]))
    assert few["far"] == []  # of seven nobody can say what is usual


@pytest.mark.parametrize(
    ("size", "is_odd"),
    [
        ((100, 100), False),
        ((100, 199), False),  # not twice as wide
        ((100, 201), True),
        ((201, 100), True),
        ((201, 199), False),  # not four times as many pixels
        ((201, 201), True),
        ((49, 51), True),  # less than a quarter of the pixels
    ],
)
def test_sizes_stand_out_by_shape_and_by_pixels(size: tuple[int, int], is_odd: bool):
    found = size_outliers(sized(*[(100, 100)] * 9, size), (16, 16))
    assert [one.row for one in found] == [9] * is_odd
    if is_odd:
        assert found[0].note == f"{size[1]} × {size[0]}"


def test_what_has_to_be_enlarged_to_twice_and_more_stands_out():
    found = size_outliers(sized((40, 40), (33, 33), (32, 60), (16, 16)), (64, 64))
    assert [one.row for one in found] == [3, 2]
    assert size_outliers([], (64, 64)) == []
