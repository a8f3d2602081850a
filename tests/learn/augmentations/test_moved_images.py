"""What flips, shifts, rotations and zooms do to the pixels of images and masks."""

import numpy as np
import pytest

from kdtasks.learn.augmentations.horizontal_flip import HorizontalFlip
from kdtasks.learn.augmentations.rotation import Rotation
from kdtasks.learn.augmentations.shift import Shift
from kdtasks.learn.augmentations.zoom import Zoom
from kdtasks.learn.training.views import (
    AugmentationParams,
    draw_view,
)


def dots(row: int, column: int, *, count: int = 200, side: int = 17) -> np.ndarray:
    """Black images with a white dot of 1 pixel."""
    images = np.zeros((count, side, side, 1), np.uint8)
    images[:, row, column] = 255
    return images


def centres(images: np.ndarray) -> np.ndarray:
    """Centre of mass (row, column) of each image, float [N, 2]."""
    weights = images[..., 0].astype(float)
    rows, columns = np.indices(images.shape[1:3])
    total = weights.sum(axis=(1, 2))
    return np.stack(
        [(weights * rows).sum(axis=(1, 2)) / total, (weights * columns).sum(axis=(1, 2)) / total],
        axis=1,
    )


@pytest.mark.parametrize("size", [(9, 9), (8, 6)])
def test_flipping_only_mirrors(size: tuple[int, int]):
    # More images than are warped at once.
    images = np.random.default_rng(1).integers(0, 256, (600, *size, 1), dtype=np.uint8)
    flips = AugmentationParams(views=2, transforms=(HorizontalFlip(),))
    moved, _ = draw_view(images, np.zeros(600, np.int32), view=1, augmentation=flips)
    same = (moved == images).all(axis=(1, 2, 3))
    mirrored = (moved == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 240 < mirrored.sum() < 360  # 300 ± 5 standard deviations of √150


def test_a_shift_is_bounded():
    shifts = AugmentationParams(views=2, transforms=(Shift(fraction=0.25),))
    moved, _ = draw_view(dots(8, 8), np.zeros(200, np.int32), view=1, augmentation=shifts)
    distance = centres(moved) - 8
    assert np.abs(distance).max() <= 0.25 * 17 + 0.05
    assert np.abs(distance).max(axis=0) == pytest.approx([4.25, 4.25], abs=0.3)
    assert np.abs(distance.mean(axis=0)).max() < 0.8


def test_a_shift_is_a_share_of_either_side():
    images = np.zeros((200, 9, 33, 1), np.uint8)
    images[:, 4, 16] = 255
    shifts = AugmentationParams(views=2, transforms=(Shift(fraction=0.2),))
    moved, _ = draw_view(images, np.zeros(200, np.int32), view=1, augmentation=shifts)
    furthest = np.abs(centres(moved) - [4, 16]).max(axis=0)
    assert furthest == pytest.approx([0.2 * 9, 0.2 * 33], rel=0.1)


def test_a_rotation_turns_about_the_centre_and_is_bounded():
    turns = AugmentationParams(views=2, transforms=(Rotation(degrees=30.0),))
    identity, _ = draw_view(dots(8, 8), np.zeros(200, np.int32), view=1, augmentation=turns)
    assert np.abs(centres(identity) - 8).max() < 0.05
    moved, _ = draw_view(dots(8, 13), np.zeros(200, np.int32), view=1, augmentation=turns)
    offset = centres(moved) - 8
    assert np.hypot(*offset.T) == pytest.approx(np.full(200, 5.0), abs=0.35)
    angles = np.degrees(np.arctan2(offset[:, 0], offset[:, 1]))
    assert np.abs(angles).max() <= 30 + 4
    assert angles.min() < -24
    assert angles.max() > 24


def test_a_zoom_is_bounded():
    zooms = AugmentationParams(views=2, transforms=(Zoom(fraction=0.2),))
    block = np.zeros((200, 21, 21, 1), np.uint8)
    block[:, 5:16, 5:16] = 255  # 11×11
    moved, _ = draw_view(block, np.zeros(200, np.int32), view=1, augmentation=zooms)
    sides = np.sqrt(moved.astype(float).sum(axis=(1, 2, 3)) / 255)
    assert sides.min() == pytest.approx(11 * 0.8, abs=0.4)
    assert sides.max() == pytest.approx(11 * 1.2, abs=0.4)
