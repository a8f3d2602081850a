"""A part of the image, as large as the image."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.learn.augmentations import Affine, Geometric, Size, augmentations
from kdtasks.learn.augmentations.boxes import draw_sides


@augmentations.register
class RandomCrop(Geometric):
    """Cut a box out of each image and resize it to the image's size.

    Source: Szegedy et al. 2015, arXiv 1409.4842, section 6, whose areas are 0.08 to 1 and whose
    aspect ratios 3/4 to 4/3.
    """

    order: ClassVar[int] = 60

    name: Literal["random_crop"] = "random_crop"
    min_area: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.5, description="smallest area of the box, as a fraction of the image; up to 1"
    )
    max_aspect: Annotated[float, Field(ge=1.0)] = Field(
        default=1.33,
        description="largest ratio of the box's sides either way, the image's own counted as 1",
    )

    @property
    def keeps_answer(self) -> bool:
        """While half of the image is left: less may not show what the answer is about."""
        return self.min_area >= 0.5

    def draw(self, rng: Generator, count: int, size: Size, affine: Affine) -> Affine:
        height, width = size
        tall, wide = draw_sides(rng, count, (self.min_area, 1.0), self.max_aspect)
        # How far the centre of the box may be from the image's, both ways.
        shift_x = rng.uniform(-0.5, 0.5, count) * (1.0 - wide) * width
        shift_y = rng.uniform(-0.5, 0.5, count) * (1.0 - tall) * height
        return replace(
            affine,
            zoom=affine.zoom / np.sqrt(tall * wide),
            stretch=affine.stretch * np.sqrt(tall / wide),
            shift_x=affine.shift_x + shift_x,
            shift_y=affine.shift_y + shift_y,
        )
