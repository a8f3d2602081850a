"""Crops and flips, which move masks with their images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.learn.augmentations import Affine, Geometric
from kdtasks.learn.augmentations.boxes import draw_sides, inside
from kdtasks.learn.augmentations.horizontal_flip import HorizontalFlip
from kdtasks.learn.augmentations.random_crop import RandomCrop
from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.augmentations.vertical_flip import VerticalFlip
from kdtasks.learn.training.views import AugmentationParams, apply_transforms, draw_view
from tests.tools.known_numbers import Known

DRAW = np.random.default_rng(6)
IMAGES = DRAW.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
MASKS = DRAW.choice([0, 1, 2, 255], (40, 8, 8)).astype(np.uint8)


def moved(
    item: Geometric, images: np.ndarray, masks: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    size = (images.shape[1], images.shape[2])
    affine = item.draw(rng, len(images), size, Affine.identity(len(images)))
    return apply_transforms(images, masks, affine.transforms(size))


def test_a_vertical_flip_changes_top_and_bottom():
    images, masks = moved(VerticalFlip(probability=1.0), IMAGES, MASKS, Known())
    np.testing.assert_array_equal(images, IMAGES[:, ::-1])
    np.testing.assert_array_equal(masks, MASKS[:, ::-1])


def test_both_flips_are_half_a_turn():
    flips = AugmentationParams(
        views=2, transforms=(HorizontalFlip(probability=1.0), VerticalFlip(probability=1.0))
    )
    images, _ = draw_view(IMAGES, MASKS, view=1, augmentation=flips)
    np.testing.assert_array_equal(images, IMAGES[:, ::-1, ::-1])


def test_about_so_many_are_flipped():
    images, _ = moved(VerticalFlip(probability=0.25), IMAGES, MASKS, np.random.default_rng(0))
    flipped = (images == IMAGES[:, ::-1]).all(axis=(1, 2, 3))
    assert ((images == IMAGES).all(axis=(1, 2, 3)) | flipped).all()
    assert 1 <= flipped.sum() <= 20  # of 40; outside with a probability below 0.001


def test_a_crop_by_hand():
    # The upper left quarter: a pixel of the view is half a pixel of the image.
    quarter = RandomCrop(min_area=0.25, max_aspect=1.0)
    ramp = np.tile(np.arange(0, 64, 8, dtype=np.uint8), (1, 8, 1))[..., np.newaxis]
    images, masks = moved(quarter, ramp, MASKS[:1], Known(uniform=0.0))
    np.testing.assert_array_equal(images[0, 0, :, 0], [0, 2, 6, 10, 14, 18, 22, 26])
    np.testing.assert_array_equal(masks[0], np.kron(MASKS[0, :4, :4], np.ones((2, 2), np.uint8)))


def test_a_wide_crop_by_hand():
    # All of the area, or what of the ratio of 4 leaves the box inside: nothing but the image.
    wide = RandomCrop(min_area=0.25, max_aspect=4.0)
    images, _ = moved(wide, IMAGES, MASKS, Known(uniform=1.0))
    np.testing.assert_array_equal(images, IMAGES)
    # Area 1/4 with sides as 1 to 4: all of the height, the left quarter of the width.
    _, masks = moved(wide, IMAGES, MASKS, Known(uniform=0.0))
    np.testing.assert_array_equal(masks, np.repeat(MASKS[:, :, :2], 4, axis=2))


@given(
    st.floats(0.01, 1.0), st.floats(1.0, 5.0), st.integers(0, 2**32), st.integers(2, 40),
    st.integers(2, 40),
)  # fmt: skip
def test_a_crop_lies_inside_the_image(
    min_area: float, max_aspect: float, seed: int, height: int, width: int
):
    crop = RandomCrop(min_area=min_area, max_aspect=max_aspect)
    affine = crop.draw(np.random.default_rng(seed), 20, (height, width), Affine.identity(20))
    a, b, c, d, e, f, *_ = affine.transforms((height, width)).T
    assert not b.any()
    assert not d.any()
    for scale, offset, length in ((a, c, width), (e, f, height)):
        first, last = scale * -0.5 + offset, scale * (length - 0.5) + offset
        assert (first >= -0.5 - 1e-3).all()
        assert (last <= length - 0.5 + 1e-3).all()
    assert (a * e >= min_area - 1e-4).all()


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(1.0, 9.0), st.integers(0, 2**32))
def test_boxes_have_their_areas_and_fit(one: float, other: float, aspect: float, seed: int):
    areas = (min(one, other), max(one, other))
    height, width = draw_sides(np.random.default_rng(seed), 30, areas, aspect)
    assert (height <= 1.0 + 1e-9).all()
    assert (width <= 1.0 + 1e-9).all()
    assert (height * width >= areas[0] - 1e-9).all()
    assert (height * width <= areas[1] + 1e-9).all()
    assert (width <= height * aspect * (1 + 1e-9)).all()
    assert (height <= width * aspect * (1 + 1e-9)).all()


def test_what_a_box_covers_by_hand():
    found = inside((3, 4), np.array([1, -1]), np.array([2, 3]), np.array([[2, 2], [1, 5]]))
    assert found.astype(int).tolist() == [
        [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]],
        [[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]],
    ]


@pytest.mark.parametrize("item", [VerticalFlip(probability=0.0), RandomCrop(min_area=1.0)])
def test_without_strength_nothing_moves(item: Geometric):
    images, masks = moved(item, IMAGES, MASKS, np.random.default_rng(1))
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(masks, MASKS)


def test_masks_move_with_the_images_of_all_together():
    coarse = np.random.default_rng(4).integers(0, 2, (30, 5, 5))
    masks = np.kron(coarse, np.ones((1, 6, 6), int)).astype(np.uint8)
    images = (masks * 255)[..., np.newaxis]
    together = AugmentationParams(
        views=2, transforms=(Rotation(degrees=30.0), VerticalFlip(), RandomCrop(min_area=0.3))
    )
    views, moved_masks = draw_view(images, masks, view=1, augmentation=together)
    white, black = views[..., 0] == 255, views[..., 0] == 0
    assert (white | black).mean() > 0.5
    assert (moved_masks[white] == 1).all()
    assert (moved_masks[black] == 0).all()
    assert (moved_masks != masks).mean() > 0.05
