"""The student's views of the same images in another size: what a teacher of its own size sees."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kdtasks.data.stacked_rows import read_rows
from kdtasks.learn.augmentations import Size
from kdtasks.learn.training.views import (
    AugmentationParams,
    apply_transforms,
    batches_of_view,
    labels_of,
    mix,
)
from kdtasks.learn.training.warp import rescaled


@dataclass(frozen=True)
class ResizedViews:
    """Images in another size, moved and mixed as the student's are.

    All that is drawn is the same: parts of the image, angles, factors, and which images are mixed.
    Only what is drawn for each pixel, as noise is, is drawn for these pixels.

    Attributes:
        images: uint8 [N, height, width, channels], read by rows.
        size: height and width of the images that the student sees.
        augmentation: of the student's views.
    """

    images: Any
    size: Size
    augmentation: AugmentationParams

    def draw(
        self,
        rows: np.ndarray,
        labels: np.ndarray,
        transforms: np.ndarray | None,
        batches: Mapping[int, np.ndarray],
        purpose: str,
        numbers: tuple[int, ...],
    ) -> np.ndarray:
        """Give images of some rows, uint8 [rows, height, width, channels].

        Args:
            rows: integers.
            labels: of these rows, as they are before images are mixed; masks are not looked at.
            transforms: of the student's images, as for `apply_transforms`.
            batches, purpose, numbers: as for `mix`.
        """
        if transforms is not None:
            transforms = rescaled(transforms, self.size, self.images.shape[1:3])
        if np.ndim(labels) > 1:
            labels = np.zeros((len(rows), *self.images.shape[1:3]), labels.dtype)
        moved, mixed = apply_transforms(read_rows(self.images, rows), labels, transforms)
        mix(moved, mixed, batches, self._larger, purpose, numbers)
        return moved

    @cached_property
    def _larger(self) -> AugmentationParams:
        """The augmentation whose settings in pixels are of these images."""
        factor = math.sqrt(math.prod(self.images.shape[1:3]) / math.prod(self.size))
        transforms = tuple(item.at_scale(factor) for item in self.augmentation.transforms)
        return self.augmentation.model_copy(update={"transforms": transforms})


def view_in_batches(
    images: Any,
    labels: Any,
    *,
    view: int,
    augmentation: AugmentationParams,
    size: Size,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the view of `draw_view` on the same images in another size, and as they are needed.

    Args:
        images: uint8 [N, height, width, channels], read by rows.
        labels: as of `draw_view`.
        size: height and width of the images that `draw_view` is given.

    Yields:
        rows, and the images of these rows.
    """
    labels, numbers = labels_of(labels, augmentation), (augmentation.seed, view)
    resized = ResizedViews(images, size, augmentation)
    for rows, affine, batch in batches_of_view(
        (len(images), *size), view=view, augmentation=augmentation, shuffled=True
    ):
        yield rows, resized.draw(rows, labels[rows], affine, batch, "views", numbers)
