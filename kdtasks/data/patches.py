"""Lay patches over an image."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import NamedTuple

from kdtasks.core.errors import DatasetError

Area = tuple[slice, slice]  # rows and columns


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


def named_patches(
    name: str, shape: Sequence[int], patch_size: int, overlap: float
) -> Iterator[tuple[str, Area, Area]]:
    """Name the patches of an image; `patch_size` and `overlap` are as of `patch_spans`.

    Args:
        name: of the image.
        shape: its height and width.

    Yields:
        a patch's name, its area in the image, and the part of it that no other patch counts.

    Raises:
        DatasetError: in a few words, the image is smaller than a patch.
    """
    if min(shape) < patch_size:
        raise DatasetError(f"{shape[0]}×{shape[1]} pixels, smaller than a patch of {patch_size}")
    spans = (patch_spans(side, patch_size, overlap) for side in shape)
    for (top, rows), (left, columns) in product(*spans):
        area = slice(top, top + patch_size), slice(left, left + patch_size)
        yield f"{name}[{top}:{top + patch_size}, {left}:{left + patch_size}]", area, (rows, columns)
