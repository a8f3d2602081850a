"""Cut a picture into square patches that cover all of it."""

import itertools


def patch_starts(length: int, patch_size: int, overlap: float) -> list[int]:
    """List where patches start along one side, in pixels; the last one ends at the border.

    Arguments:
        length: the picture's side, at least `patch_size`.
        patch_size: side of a patch.
        overlap: share of a patch, 0 up to but not 1, that the next one repeats; the last may
            repeat more.
    """
    step = max(1, round(patch_size * (1 - overlap)))
    starts = list(range(0, length - patch_size + 1, step))
    if starts[-1] + patch_size < length:
        starts.append(length - patch_size)
    return starts


def patch_corners(
    height: int, width: int, patch_size: int, overlap: float
) -> list[tuple[int, int]]:
    """List the upper left corners (row, column) of all patches, row by row."""
    return list(
        itertools.product(
            patch_starts(height, patch_size, overlap), patch_starts(width, patch_size, overlap)
        )
    )
