"""Top for bottom."""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction
from kdtasks.learn.augmentations import Affine, Geometric, Size, augmentations


@augmentations.register
class VerticalFlip(Geometric):
    """Turn some of the images upside down: for what is seen from above, or through a microscope."""

    order: ClassVar[int] = 50

    name: Literal["vertical_flip"] = "vertical_flip"
    probability: Fraction = Field(default=0.5, description="fraction of images that are flipped")

    def draw(self, rng: Generator, count: int, size: Size, affine: Affine) -> Affine:
        is_flipped = rng.random(count) < self.probability
        return replace(affine, flip=np.where(is_flipped, -affine.flip, affine.flip))
