"""Margins of one colour and patches of nothing, which say nothing of where an image comes from."""

import numpy as np
import numpy.typing as npt

from kdtasks.data.near_copies import LEAST_CONTRAST

Images = npt.NDArray[np.uint8]

# By how many levels the pixels of a margin may differ.
FLAT = 8
# Pixels beside a margin that a codec's blocks or a resize have blurred.
_BLURRED = 8
# Fraction of an image's area that its margins may have for the rest to say where it comes from.
_MOST_MARGIN = 0.5


def is_plain(images: Images) -> npt.NDArray[np.bool_]:
    """Tell which images have no contrast in any channel: bool [N] of [N, height, width, C]."""
    flat = [
        image.reshape(-1, image.shape[-1]).std(axis=0).max() < LEAST_CONTRAST for image in images
    ]
    return np.array(flat, bool)


def without_margins(images: Images) -> Images:
    """Mirror what is inside over margins of one colour; mostly of margin, an image becomes plain.

    The straight edge of a margin is the same in all photos that have it, and would make near copies
    of them.

    Args:
        images: uint8 [N, height, width, channels].

    Returns:
        the same array where no image has a margin.
    """
    mirrored = images
    for row, image in enumerate(images):
        edges = [_flat_lines(image), _flat_lines(image[::-1])]
        across = image.transpose(1, 0, 2)
        edges += [_flat_lines(across), _flat_lines(across[::-1])]
        if not any(edges):
            continue
        if mirrored is images:
            mirrored = images.copy()
        mirrored[row] = _mirrored(image, *edges)
    return mirrored


def _mirrored(image: Images, top: int, bottom: int, left: int, right: int) -> Images:
    height, width = image.shape[:2]
    top, bottom, left, right = (
        edge + _BLURRED if edge else 0 for edge in (top, bottom, left, right)
    )
    inside = image[top : max(0, height - bottom), left : max(0, width - right)]
    if inside.shape[0] * inside.shape[1] < (1 - _MOST_MARGIN) * height * width:
        return np.zeros_like(image)
    return np.pad(inside, ((top, bottom), (left, right), (0, 0)), mode="symmetric")


def _flat_lines(image: Images) -> int:
    """Count the rows from the first one that have its colour, and no other."""
    first = image[0]
    lowest, highest = first.min(axis=0).astype(int), first.max(axis=0).astype(int)
    if (highest - lowest > FLAT).any():
        return 0
    middle = (lowest + highest) // 2
    flat = (np.abs(image.astype(np.int16) - middle) <= FLAT).all(axis=(1, 2))
    return len(flat) if flat.all() else int(flat.argmin())
