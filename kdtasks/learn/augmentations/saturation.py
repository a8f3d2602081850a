"""Stronger or weaker colours."""

from typing import ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction
from kdtasks.learn.augmentations import Photometric, augmentations
from kdtasks.learn.augmentations.colours import draw_factors, grey, to_uint8


@augmentations.register
class Saturation(Photometric):
    """Multiply how far the colour of each pixel is from grey of the same brightness.

    The factor is 1 − strength … 1 + strength. Grey images stay as they are.
    """

    order: ClassVar[int] = 130

    name: Literal["saturation"] = "saturation"
    strength: Fraction = Field(default=0.2, description="largest change of the factor")

    def apply(self, images: np.ndarray, rng: Generator) -> np.ndarray:
        brightness = grey(images)
        factors = draw_factors(rng, len(images), self.strength)
        return to_uint8(brightness + factors * (images - brightness))
