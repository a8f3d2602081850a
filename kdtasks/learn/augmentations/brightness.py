"""Brighter or darker."""

from typing import ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction
from kdtasks.learn.augmentations import Photometric, augmentations
from kdtasks.learn.augmentations.colours import draw_factors, to_uint8


@augmentations.register
class Brightness(Photometric):
    """Multiply the pixels of each image by a factor of 1 − strength … 1 + strength."""

    order: ClassVar[int] = 110

    name: Literal["brightness"] = "brightness"
    strength: Fraction = Field(default=0.2, description="largest change of the factor")

    def apply(self, images: np.ndarray, rng: Generator) -> np.ndarray:
        return to_uint8(images * draw_factors(rng, len(images), self.strength))
