"""Left for right."""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction
from kdtasks.learn.augmentations import Affine, Geometric, Size, augmentations


@augmentations.register
class HorizontalFlip(Geometric):
    """Mirror some of the images."""

    order: ClassVar[int] = 40

    name: Literal["horizontal_flip"] = "horizontal_flip"
    probability: Fraction = Field(default=0.5, description="fraction of images that are mirrored")

    def draw(self, rng: Generator, count: int, size: Size, affine: Affine) -> Affine:
        is_flipped = rng.random(count) < self.probability
        return replace(affine, mirror=np.where(is_flipped, -affine.mirror, affine.mirror))
