"""Images moved by affine maps."""

from typing import Any

import numpy as np

# Pixels that are moved at a time: what is computed for them stays in the processor's cache.
_PIXELS = 65_536


def warp(images: Any, transforms: np.ndarray, *, nearest: bool = False) -> np.ndarray:
    """Move each image by its transform; beyond an edge the pixels there repeat.

    Computes in float32 and in the order of TensorFlow's `ImageProjectiveTransformV3`, whose bits
    it gives, without waiting for TensorFlow to load.

    Args:
        images: uint8 [N, height, width, channels].
        transforms: float32 [N, 8], from output to input coordinates.
        nearest: take the nearest pixel, as for masks, in place of a mean of the four around.
    """
    height, width = images.shape[1:3]
    rows, columns = (axis.ravel() for axis in np.indices((height, width), np.float32))
    moved = np.empty(images.shape, np.uint8)
    step = max(1, _PIXELS // (height * width))
    for start in range(0, len(images), step):
        batch = np.ascontiguousarray(images[start : start + step])
        maps = transforms[start : start + step, :, np.newaxis]
        x = np.clip(maps[:, 0] * columns + maps[:, 1] * rows + maps[:, 2], 0, width - 1)
        y = np.clip(maps[:, 3] * columns + maps[:, 4] * rows + maps[:, 5], 0, height - 1)
        pixels = (_nearest if nearest else _bilinear)(batch, x, y)
        moved[start : start + step] = pixels.reshape(batch.shape)
    return moved


def rescaled(transforms: np.ndarray, size: tuple[int, int], other: tuple[int, int]) -> np.ndarray:
    """Return maps between pixels of images in one size for the same images in another.

    A pixel's centre x lies at the fraction (x + ½) / width of the image, in either size.

    Args:
        transforms: float32 [N, 8], as of `warp`.
        size: height and width of the images that they are for.
        other: of the others.
    """
    a, b, c, d, e, f, *rest = transforms.astype(np.float64).T
    tall, wide = (new / old for new, old in zip(other, size, strict=True))
    left, top = (0.5 - 0.5 * factor for factor in (wide, tall))
    b, d = b * wide / tall, d * tall / wide
    c = a * left + b * top + (c + 0.5) * wide - 0.5
    f = d * left + e * top + (f + 0.5) * tall - 0.5
    return np.stack([a, b, c, d, e, f, *rest], axis=1).astype(np.float32)


def _nearest(batch: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Take pixels at coordinates [N, height · width], halves away from zero."""
    (left, right), (top, bottom) = _parts(x), _parts(y)
    columns, rows = left + (right >= 0.5), top + (bottom >= 0.5)
    return _pixels(batch, rows, columns)


def _bilinear(batch: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Take weighted means of the four pixels around coordinates [N, height · width]."""
    (left, _), (top, _) = _parts(x), _parts(y)
    to_right, to_bottom = ((part + np.float32(1.0)) for part in (left, top))
    right = np.minimum(to_right, batch.shape[2] - 1)
    bottom = np.minimum(to_bottom, batch.shape[1] - 1)

    def across(row: np.ndarray) -> np.ndarray:
        first, second = _pixels(batch, row, left), _pixels(batch, row, right)
        return (to_right - x)[..., np.newaxis] * first + (x - left)[..., np.newaxis] * second

    upper, lower = across(top), across(bottom)
    mean = (to_bottom - y)[..., np.newaxis] * upper + (y - top)[..., np.newaxis] * lower
    return np.clip(np.rint(mean), 0, 255)


def _parts(coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split coordinates into whole numbers and the rest, both float32."""
    whole = np.floor(coordinates)
    return whole, coordinates - whole


def _pixels(batch: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Take pixels, uint8 [N, height · width, channels]."""
    count, height, width, channels = batch.shape
    first = np.arange(count, dtype=np.int32)[:, np.newaxis] * (height * width)
    indices = first + rows.astype(np.int32) * width + columns.astype(np.int32)
    return batch.reshape(-1, channels).take(indices, axis=0)
