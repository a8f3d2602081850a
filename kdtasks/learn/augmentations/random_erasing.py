"""Something in front of it."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction
from kdtasks.learn.augmentations import Photometric, augmentations
from kdtasks.learn.augmentations.boxes import draw_sides, inside


@augmentations.register
class RandomErasing(Photometric):
    """Fill a box in some of the images with random values; labels and masks stay, under it too.

    Source: Zhong et al. 2017, arXiv 1708.04896 (RE-R), whose areas are 0.02 to 0.4 and whose
    aspect ratios 0.3 to 1 / 0.3.
    """

    order: ClassVar[int] = 170

    name: Literal["random_erasing"] = "random_erasing"
    probability: Fraction = Field(default=0.5, description="fraction of images that lose a box")
    max_area: Fraction = Field(
        default=0.4, description="largest area of the box, as a fraction of the image; from 0.02"
    )
    max_aspect: Annotated[float, Field(ge=1.0)] = Field(
        default=3.33, description="largest ratio of the box's sides either way"
    )

    def apply(self, images: np.ndarray, rng: Generator) -> np.ndarray:
        count, *size = images.shape[:3]
        areas = (min(0.02, self.max_area), self.max_area)
        drawn = np.stack(draw_sides(rng, count, areas, self.max_aspect))
        room = np.array(size)[:, np.newaxis]
        sides = np.rint(drawn * room).astype(int)
        top, left = (rng.random((2, count)) * (room - sides + 1)).astype(int)
        erased = inside((size[0], size[1]), top, left, sides)
        erased &= rng.random((count, 1, 1)) < self.probability
        filling = rng.integers(0, 256, images.shape, np.uint8)
        return np.where(erased[..., np.newaxis], filling, images)
