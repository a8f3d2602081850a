"""Brightness, colours, blur, noise and erasing, each by hand and what all have in common."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.learn.augmentations import Photometric
from kdtasks.learn.augmentations.blur import Blur
from kdtasks.learn.augmentations.brightness import Brightness
from kdtasks.learn.augmentations.contrast import Contrast
from kdtasks.learn.augmentations.hue import Hue
from kdtasks.learn.augmentations.noise import Noise
from kdtasks.learn.augmentations.random_erasing import RandomErasing
from kdtasks.learn.augmentations.saturation import Saturation
from tests.tools.known_numbers import Known

ALL = (
    Brightness(strength=0.5), Contrast(strength=0.5), Saturation(strength=1.0), Hue(turn=0.5),
    Blur(sigma=2.0), Noise(strength=0.2), RandomErasing(),
)  # fmt: skip
NOTHING = (
    Brightness(strength=0.0), Contrast(strength=0.0), Saturation(strength=0.0), Hue(turn=0.0),
    Blur(sigma=0.0), Blur(probability=0.0), Noise(strength=0.0),
    RandomErasing(probability=0.0), RandomErasing(max_area=0.0),
)  # fmt: skip


def pixels(*colours: tuple[int, ...]) -> np.ndarray:
    """One image of one row of pixels."""
    return np.array([[colours]], np.uint8)


def values(item: Photometric, images: np.ndarray, rng: Known) -> list[list[int]]:
    """What becomes of the first row of the first image."""
    found: list[list[int]] = item.apply(images, rng)[0, 0].tolist()
    return found


def test_brightness_by_hand():
    grey = pixels((100,), (200,), (7,))
    # 7 · 1.5 = 10.5 becomes the even 10.
    assert values(Brightness(strength=0.5), grey, Known(uniform=1.0)) == [[150], [255], [10]]
    assert values(Brightness(strength=0.5), grey, Known(uniform=0.0)) == [[50], [100], [4]]


def test_contrast_by_hand():
    grey = pixels((0,), (100,), (200,), (100,))
    half = values(Contrast(strength=0.5), grey, Known(uniform=0.0))
    assert half == [[50], [100], [150], [100]]
    assert values(Contrast(strength=1.0), grey, Known(uniform=1.0)) == [[0], [100], [255], [100]]
    # Red has a brightness of 0.299 · 255 = 76.245, with a black pixel a mean of 38.12.
    red = pixels((255, 0, 0), (0, 0, 0))
    assert values(Contrast(strength=0.5), red, Known(uniform=0.0)) == [[147, 19, 19], [19, 19, 19]]


def test_saturation_by_hand():
    red = pixels((255, 0, 0), (90, 90, 90))
    assert values(Saturation(strength=1.0), red, Known(uniform=0.0)) == [[76] * 3, [90] * 3]
    assert values(Saturation(strength=0.5), red, Known(uniform=0.0)) == [[166, 38, 38], [90] * 3]
    assert values(Saturation(strength=1.0), red, Known(uniform=1.0)) == [[255, 0, 0], [90] * 3]


def test_hue_by_hand():
    # A third of the circle: red to green to blue, yellow to cyan, whatever value and chroma are.
    colours = pixels((255, 0, 0), (0, 255, 0), (255, 255, 0), (200, 100, 50), (60, 60, 60))
    third = Hue(turn=1 / 3)
    assert values(third, colours, Known(uniform=1.0)) == [
        [0, 255, 0], [0, 0, 255], [0, 255, 255], [50, 200, 100], [60, 60, 60],
    ]  # fmt: skip
    assert values(third, colours, Known(uniform=0.0))[:2] == [[0, 0, 255], [255, 0, 0]]


@pytest.mark.parametrize("item", [Saturation(strength=1.0), Hue(turn=0.5)])
def test_grey_images_have_no_colour_to_change(item: Photometric):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), dtype=np.uint8)
    np.testing.assert_array_equal(item.apply(images, np.random.default_rng(1)), images)


def test_blur_by_hand():
    # exp(−d²/2) for d = 0 … 3 is 1, 0.6065, 0.1353, 0.0111; over their sum on both sides, 2.506,
    # the weights are 0.3990, 0.2420, 0.0540. Along both axes: 0.3990² · 255 = 40.6 …
    dot = np.zeros((1, 9, 9, 1), np.uint8)
    dot[0, 4, 4] = 255
    found = Blur(sigma=1.0).apply(dot, Known(uniform=1.0, random=0.0))[0, ..., 0]
    assert found[4, 4:7].tolist() == [41, 25, 5]
    assert found[5, 4:7].tolist() == [25, 15, 3]
    np.testing.assert_array_equal(found, found.T)


def test_blur_repeats_the_pixels_at_an_edge():
    even = np.full((2, 5, 6, 3), 90, np.uint8)
    np.testing.assert_array_equal(Blur(sigma=3.0).apply(even, np.random.default_rng(0)), even)


def test_noise_by_hand():
    # A standard deviation of 0.2 · 255 = 51.
    grey = pixels((100,), (230,))
    assert values(Noise(strength=0.2), grey, Known(uniform=1.0)) == [[151], [255]]


def test_noise_is_as_strong_as_it_says():
    images = np.full((1, 200, 200, 1), 128, np.uint8)
    rng = np.random.default_rng(3)
    strengths = [Noise(strength=0.1).apply(images, rng).std() for _ in range(40)]
    assert max(strengths) < 25.5 * 1.05
    assert max(strengths) > 20.0  # of 40 even draws up to 25.5 all are lower with 0.784^40 < 1e-4


def test_erasing_by_hand():
    # An area of 1/4 with equal sides: 4×4 of 8×8, at the upper left.
    images = np.full((1, 8, 8, 3), 100, np.uint8)
    item = RandomErasing(max_area=0.25, max_aspect=1.0)
    expected = images.copy()
    expected[0, :4, :4] = 7
    np.testing.assert_array_equal(item.apply(images, Known(uniform=1.0, random=0.0)), expected)
    # 0.49 · (8 − 4 + 1) = 2.45: from row 2 on.
    found = item.apply(images, Known(uniform=1.0, random=0.49))
    assert (found[0, 2:6, 2:6] == 7).all()
    assert (found == 7).sum() == 4 * 4 * 3


@pytest.mark.parametrize("item", NOTHING, ids=lambda item: item.name)
def test_without_strength_nothing_changes(item: Photometric):
    images = np.random.default_rng(0).integers(0, 256, (6, 7, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(item.apply(images, np.random.default_rng(1)), images)


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.name)
@given(
    seed=st.integers(0, 2**32), height=st.integers(1, 9), width=st.integers(1, 9), data=st.data()
)
def test_images_stay_images_and_the_seed_decides(
    item: Photometric, seed: int, height: int, width: int, data: st.DataObject
):
    channels = data.draw(st.sampled_from([1, 3]))
    images = np.random.default_rng(seed).integers(0, 256, (4, height, width, channels), np.uint8)
    before = images.copy()
    found, again = (item.apply(images, np.random.default_rng(seed)) for _ in range(2))
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    np.testing.assert_array_equal(found, again)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.name)
def test_another_seed_gives_another_image(item: Photometric):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    one, other = (item.apply(images, np.random.default_rng(seed)) for seed in (1, 2))
    assert (one != other).any()
