"""Lay patches over an image."""

from itertools import pairwise
from typing import NamedTuple


class PatchSpan(NamedTuple):
    """Where a patch lies along one side of an image.

    Attributes:
        start: its first pixel, counted in the image.
        own: its pixels that count in this patch and in no other, counted in the patch.
    """

    start: int
    own: slice


def patch_spans(length: int, patch_size: int, overlap: float) -> list[PatchSpan]:
    """Lay patches along one side, in pixels; the last one ends at the border.

    What two patches share counts in the one whose middle is nearer, which sees more around it.

    Args:
        length: the image's side, at least `patch_size`.
        patch_size: side of a patch.
        overlap: fraction of a patch, 0 up to but not 1, that the next one repeats; the last may
            repeat more.
    """
    step = max(1, round(patch_size * (1 - overlap)))
    starts = list(range(0, length - patch_size + 1, step))
    if starts[-1] + patch_size < length:
        starts.append(length - patch_size)
    middles = [(first + second + patch_size) // 2 for first, second in pairwise(starts)]
    return [
        PatchSpan(start, slice(first - start, end - start))
        for start, first, end in zip(starts, [0, *middles], [*middles, length], strict=True)
    ]
