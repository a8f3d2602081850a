"""Affine maps of images, by hand and against TensorFlow's own."""

import numpy as np
import pytest

from kdtasks.core.backend import tf
from kdtasks.learn.training.warp import warp

SIZES = [(1, 1, 1), (5, 9, 3), (28, 28, 1), (300, 400, 1)]


def maps(*rows: list[float]) -> np.ndarray:
    return np.array([[*row, 0, 0] for row in rows], np.float32)


def test_half_a_pixel_to_the_side_by_hand():
    image = np.array([[0, 10, 21, 255]], np.uint8)[None, ..., None]
    shift = maps([1, 0, 0.5, 0, 1, 0])
    # 15.5 becomes the even 16; beyond the edge its pixel repeats.
    assert warp(image, shift)[0, 0, :, 0].tolist() == [5, 16, 138, 255]
    assert warp(image, shift, nearest=True)[0, 0, :, 0].tolist() == [10, 21, 255, 255]


def test_rows_and_columns_change_places():
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 2), dtype=np.uint8)
    turned = warp(images, maps(*[[0.0, 1.0, 0.0, 1.0, 0.0, 0.0]] * 3))
    np.testing.assert_array_equal(turned, images.swapaxes(1, 2))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("nearest", [False, True])
def test_bits_are_those_of_tensorflow(size: tuple[int, int, int], nearest: bool):
    draw = np.random.default_rng(1)
    images = draw.integers(0, 256, (7, *size), dtype=np.uint8)
    linear, offsets = draw.normal(0, 1, (7, 2, 2)), draw.normal(0, 4, (7, 2, 1))
    transforms = maps(*np.concatenate([linear, offsets], axis=2).reshape(7, 6).tolist())
    transforms[0, :6] = [1, 0, 0.5, 0, 1, -0.5]  # halves
    expected = tf.raw_ops.ImageProjectiveTransformV3(
        images=images.astype(np.float32),
        transforms=transforms,
        output_shape=size[:2],
        fill_value=0.0,
        interpolation="NEAREST" if nearest else "BILINEAR",
        fill_mode="NEAREST",
    )
    found = warp(images, transforms, nearest=nearest)
    np.testing.assert_array_equal(found, np.clip(np.rint(expected.numpy()), 0, 255))
