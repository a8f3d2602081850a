"""The student's views of the same images in another size: what a teacher of its own size sees."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kdtasks.core.reproducibility import generator
from kdtasks.learn.augmentations import Size
from kdtasks.learn.training.views import (
    BATCH,
    AugmentationParams,
    draw_transforms,
    labels_of,
    mix,
    move,
)
from kdtasks.learn.training.warp import rescaled


def view_in_batches(
    images: Any,
    labels: Any,
    *,
    view: int,
    augmentation: AugmentationParams,
    size: Size,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the view of `draw_view` on the same images in another size, and as they are needed.

    All that is drawn is the same: parts of the image, angles, factors, and which images are mixed.
    Only what is drawn for each pixel, as noise is, is drawn for these pixels.

    Args:
        images: uint8 [N, height, width, channels], read by rows.
        labels: as of `draw_view`, integers [N] or `TwoLabels` [N].
        size: height and width of the images that `draw_view` is given.

    Yields:
        rows, and the images of these rows.
    """
    count, numbers = len(images), (augmentation.seed, view)
    labels = labels_of(labels, augmentation)
    is_moved = view > 0 and bool(augmentation.transforms)
    order = np.arange(count)
    transforms = None
    if is_moved:
        order = generator("views in batches", *numbers).permutation(count)
        transforms = draw_transforms((count, *size), generator("views", *numbers), augmentation)
    if transforms is not None:
        transforms = rescaled(transforms, size, images.shape[1:3])
    factor = math.sqrt(math.prod(images.shape[1:3]) / math.prod(size))
    larger = augmentation.model_copy(
        update={"transforms": tuple(item.at_scale(factor) for item in augmentation.transforms)}
    )
    for number, start in enumerate(range(0, count, BATCH)):
        rows = order[start : start + BATCH]
        motion = None if transforms is None else transforms[rows]
        moved, mixed = move(images[rows], labels[rows], motion)
        if is_moved:
            mix(moved, mixed, {number: np.arange(len(rows))}, larger, "views", numbers)
        yield rows, moved
