"""Augmented views: drawn once, the same for everybody, masks with their pictures."""

import numpy as np
import pytest

from kdtasks.learn.augmentations.affine import AugmentationParams
from kdtasks.learn.training.views import count_views, draw_view, draw_views

DRAW = np.random.default_rng(0)
IMAGES = DRAW.integers(0, 256, (20, 9, 9, 3), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.int32)
ALL = AugmentationParams(views=3, shift=0.1, rotation_degrees=15.0, zoom=0.1, horizontal_flip=True)


def dots(row: int, column: int, *, count: int = 200, side: int = 17) -> np.ndarray:
    """Black pictures with a white dot of 1 pixel."""
    images = np.zeros((count, side, side, 1), np.uint8)
    images[:, row, column] = 255
    return images


def centres(images: np.ndarray) -> np.ndarray:
    """Centre of mass (row, column) of each picture, float [N, 2]."""
    weights = images[..., 0].astype(float)
    rows, columns = np.indices(images.shape[1:3])
    total = weights.sum(axis=(1, 2))
    return np.stack(
        [(weights * rows).sum(axis=(1, 2)) / total, (weights * columns).sum(axis=(1, 2)) / total],
        axis=1,
    )


def test_view_0_is_the_pictures_as_they_are():
    images, labels = draw_view(IMAGES, LABELS, view=0, augmentation=ALL)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


def test_a_view_is_the_same_whenever_it_is_drawn():
    first, again = (draw_view(IMAGES, LABELS, view=2, augmentation=ALL)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_views_and_seeds_differ():
    one, two = (draw_view(IMAGES, LABELS, view=view, augmentation=ALL)[0] for view in (1, 2))
    reseeded = ALL.model_copy(update={"seed": 1})
    other_seed, _ = draw_view(IMAGES, LABELS, view=1, augmentation=reseeded)
    assert (one != two).any()
    assert (one != other_seed).any()
    assert (one != IMAGES).any()


def test_labels_of_pictures_stay():
    images, labels = draw_views(IMAGES, LABELS, ALL)
    assert images.shape == (3, *IMAGES.shape)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, np.stack([LABELS] * 3))


def test_without_augmentation_there_is_one_view():
    still = AugmentationParams(views=5)
    assert count_views(still) == 1
    assert count_views(ALL) == 3
    images, _ = draw_views(IMAGES, LABELS, still)
    np.testing.assert_array_equal(images, IMAGES[np.newaxis])


@pytest.mark.parametrize("size", [(9, 9), (8, 6)])
def test_flipping_only_mirrors(size: tuple[int, int]):
    # More pictures than are warped at once.
    images = np.random.default_rng(1).integers(0, 256, (600, *size, 1), dtype=np.uint8)
    flips = AugmentationParams(views=2, horizontal_flip=True)
    moved, _ = draw_view(images, np.zeros(600, np.int32), view=1, augmentation=flips)
    same = (moved == images).all(axis=(1, 2, 3))
    mirrored = (moved == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 240 < mirrored.sum() < 360  # 300 ± 5 standard deviations of √150


def test_a_shift_is_bounded():
    shifts = AugmentationParams(views=2, shift=0.25)
    moved, _ = draw_view(dots(8, 8), np.zeros(200, np.int32), view=1, augmentation=shifts)
    distance = centres(moved) - 8
    assert np.abs(distance).max() <= 0.25 * 17 + 0.05
    assert np.abs(distance).max(axis=0) == pytest.approx([4.25, 4.25], abs=0.3)
    assert np.abs(distance.mean(axis=0)).max() < 0.8


def test_a_shift_is_a_share_of_either_side():
    images = np.zeros((200, 9, 33, 1), np.uint8)
    images[:, 4, 16] = 255
    shifts = AugmentationParams(views=2, shift=0.2)
    moved, _ = draw_view(images, np.zeros(200, np.int32), view=1, augmentation=shifts)
    furthest = np.abs(centres(moved) - [4, 16]).max(axis=0)
    assert furthest == pytest.approx([0.2 * 9, 0.2 * 33], rel=0.1)


def test_a_rotation_turns_about_the_centre_and_is_bounded():
    turns = AugmentationParams(views=2, rotation_degrees=30.0)
    still, _ = draw_view(dots(8, 8), np.zeros(200, np.int32), view=1, augmentation=turns)
    assert np.abs(centres(still) - 8).max() < 0.05
    moved, _ = draw_view(dots(8, 13), np.zeros(200, np.int32), view=1, augmentation=turns)
    offset = centres(moved) - 8
    assert np.hypot(*offset.T) == pytest.approx(np.full(200, 5.0), abs=0.35)
    angles = np.degrees(np.arctan2(offset[:, 0], offset[:, 1]))
    assert np.abs(angles).max() <= 30 + 4
    assert angles.min() < -24
    assert angles.max() > 24


def test_a_zoom_is_bounded():
    zooms = AugmentationParams(views=2, zoom=0.2)
    block = np.zeros((200, 21, 21, 1), np.uint8)
    block[:, 5:16, 5:16] = 255  # 11×11
    moved, _ = draw_view(block, np.zeros(200, np.int32), view=1, augmentation=zooms)
    sides = np.sqrt(moved.astype(float).sum(axis=(1, 2, 3)) / 255)
    assert sides.min() == pytest.approx(11 * 0.8, abs=0.4)
    assert sides.max() == pytest.approx(11 * 1.2, abs=0.4)


def test_masks_move_with_their_pictures():
    coarse = np.random.default_rng(4).integers(0, 2, (30, 5, 5))
    masks = np.kron(coarse, np.ones((1, 6, 6), int)).astype(np.uint8)  # patches of 6×6
    images = (masks * 255)[..., np.newaxis]
    moved, moved_masks = draw_view(images, masks, view=1, augmentation=ALL)
    assert moved_masks.shape == masks.shape
    assert moved_masks.dtype == np.uint8
    assert set(np.unique(moved_masks)) <= {0, 1}
    # Between two patches a pixel of the picture is grey; elsewhere picture and mask must agree.
    white, black = moved[..., 0] == 255, moved[..., 0] == 0
    assert (white | black).mean() > 0.5
    assert (moved_masks[white] == 1).all()
    assert (moved_masks[black] == 0).all()
    assert (moved_masks != masks).mean() > 0.05


def test_masks_get_no_label_that_was_not_there():
    masks = np.random.default_rng(5).choice([1, 7, 255], (20, 9, 9)).astype(np.uint8)
    _, moved = draw_views(IMAGES, masks, ALL)
    assert set(np.unique(moved)) == {1, 7, 255}
    np.testing.assert_array_equal(moved[0], masks)
