"""Boxes inside images, drawn at random."""

import numpy as np
from numpy.random import Generator

from kdtasks.learn.augmentations import Size


def draw_sides(
    rng: Generator, count: int, areas: tuple[float, float], max_aspect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw height and width of boxes, each float [N], as fractions of the image's.

    Areas are alike within their range, the logarithm of width / height within ±log `max_aspect`,
    or as much of that as leaves the box inside the image.

    Args:
        areas: smallest and largest area, as fractions of the image's.
        max_aspect: largest ratio of the sides, either way.
    """
    area = rng.uniform(*areas, count)
    largest = -np.log(np.maximum(area, np.finfo(float).tiny))
    limit = np.minimum(np.log(max_aspect), largest)
    aspect = np.exp(rng.uniform(-1, 1, count) * limit)
    return np.sqrt(area / aspect), np.sqrt(area * aspect)


def inside(size: Size, top: np.ndarray, left: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Tell which pixels boxes cover, bool [N, height, width].

    Args:
        size: height and width of the images.
        top, left: whole numbers [N], the first row and column; may lie outside.
        sides: whole numbers [2, N], rows and columns from there.
    """

    def covered(length: int, first: np.ndarray, side: np.ndarray) -> np.ndarray:
        pixels = np.arange(length)
        covers: np.ndarray = (pixels >= first[:, None]) & (pixels < (first + side)[:, None])
        return covers

    rows, columns = covered(size[0], top, sides[0]), covered(size[1], left, sides[1])
    both: np.ndarray = rows[:, :, None] & columns[:, None, :]
    return both
