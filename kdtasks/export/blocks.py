"""Kernels of convolutions over blocks of 2×2 pixels, and whether they are worth it."""

from itertools import product
from math import ceil, prod
from typing import NamedTuple

import numpy as np

BLOCK = 2
# Channels and filters that an int8 kernel for matrix units takes at a time.
_TILE = 64


class Taps(NamedTuple):
    """Where the taps of a kernel of one axis go when pixels are taken in pairs.

    Attributes:
        size: taps of the kernel over pairs.
        places: for each of the outputs of a pair and each old tap: new tap, pixel of the pair.
    """

    size: int
    places: list[list[tuple[int, int]]]


def pair_up(kernel_size: int, stride: int) -> Taps:
    """Find the taps for an axis of even length with padding `SAME`.

    An output at pixel i looks at the pixels i − p … i − p + k − 1, where p = (k − stride) // 2.
    """
    padding = max(kernel_size - stride, 0) // 2
    found = [
        [divmod(output - padding + tap, BLOCK) for tap in range(kernel_size)]
        for output in range(BLOCK // stride)
    ]
    pairs = [pair for places in found for pair, _ in places]
    before, after = -min(pairs), max(pairs)
    if (before + after) // 2 != before:  # `SAME` would begin elsewhere
        before = after = max(before, after)
    return Taps(
        before + after + 1,
        [[(pair + before, pixel) for pair, pixel in places] for places in found],
    )


def kernel_over_blocks(kernel: np.ndarray, strides: tuple[int, int]) -> np.ndarray:
    """Spread a kernel [filters, height, width, channels] over blocks of 2×2 pixels.

    Returns: [outputs of a block · filters, height, width, 4 · channels], in the order in which
    `SPACE_TO_DEPTH` and `DEPTH_TO_SPACE` number the pixels of a block.
    """
    filters, height, width, channels = kernel.shape
    rows, columns = pair_up(height, strides[0]), pair_up(width, strides[1])
    outputs = (len(rows.places), len(columns.places))
    spread = np.zeros(
        (*outputs, filters, rows.size, columns.size, BLOCK, BLOCK, channels), kernel.dtype
    )
    for row, column in product(range(outputs[0]), range(outputs[1])):
        for y, x in product(range(height), range(width)):
            (tap_y, pixel_y), (tap_x, pixel_x) = rows.places[row][y], columns.places[column][x]
            spread[row, column, :, tap_y, tap_x, pixel_y, pixel_x] = kernel[:, y, x]
    return spread.reshape(-1, rows.size, columns.size, BLOCK * BLOCK * channels)


def gains_by_blocks(weights: tuple[int, ...], stride: int) -> bool:
    """Whether fewer kernel calls are needed for a picture, zeros that fill them up included.

    Arguments:
        weights: filters, height, width, channels.
    """
    filters, *kernel, channels = weights
    taps = prod(pair_up(size, stride).size for size in kernel)
    outputs = (BLOCK // stride) ** 2
    before = prod(kernel) * _tiles(channels, filters)
    return taps * _tiles(channels * BLOCK**2, filters * outputs) / outputs < before


def _tiles(channels: int, filters: int) -> int:
    return ceil(channels / _TILE) * ceil(filters / _TILE)
