"""The noise of a sensor."""

from typing import ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction
from kdtasks.learn.augmentations import Photometric, augmentations
from kdtasks.learn.augmentations.colours import to_uint8


@augmentations.register
class Noise(Photometric):
    """Add Gaussian noise, of another strength for each image, to every value of every pixel."""

    order: ClassVar[int] = 160

    name: Literal["noise"] = "noise"
    strength: Fraction = Field(
        default=0.05, description="largest standard deviation, as a fraction of 255"
    )

    def apply(self, images: np.ndarray, rng: Generator) -> np.ndarray:
        sizes = rng.uniform(0, 255 * self.strength, (len(images), 1, 1, 1)).astype(np.float32)
        return to_uint8(images + sizes * rng.standard_normal(images.shape, np.float32))
