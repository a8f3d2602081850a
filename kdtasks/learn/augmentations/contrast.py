"""Stronger or weaker contrast."""

from typing import ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction
from kdtasks.learn.augmentations import Photometric, augmentations
from kdtasks.learn.augmentations.colours import draw_factors, grey, to_uint8


@augmentations.register
class Contrast(Photometric):
    """Multiply how far the pixels of each image are from its mean brightness.

    The factor is 1 − strength … 1 + strength.
    """

    order: ClassVar[int] = 120

    name: Literal["contrast"] = "contrast"
    strength: Fraction = Field(default=0.2, description="largest change of the factor")

    def apply(self, images: np.ndarray, rng: Generator) -> np.ndarray:
        mean = grey(images).mean(axis=(1, 2, 3), keepdims=True)
        return to_uint8(mean + draw_factors(rng, len(images), self.strength) * (images - mean))
