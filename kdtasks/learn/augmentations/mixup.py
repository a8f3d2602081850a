"""One image shining through another."""

from typing import ClassVar, Literal

import numpy as np
from numpy.random import Generator

from kdtasks.learn.augmentations import Size, augmentations
from kdtasks.learn.augmentations.mixing import Mixing


@augmentations.register
class Mixup(Mixing):
    """Blend each image with another of the same batch: λ · one + (1 − λ) · other.

    Both labels count, with λ and 1 − λ; an image is mixed once at most. The teacher answers to the
    blend. Not for masks, whose pixels have one label each. Source: Zhang et al. 2017, arXiv
    1710.09412.
    """

    order: ClassVar[int] = 210
    mixes_masks: ClassVar[bool] = False

    name: Literal["mixup"] = "mixup"

    def share(self, fractions: np.ndarray, size: Size, rng: Generator) -> np.ndarray:
        return np.broadcast_to(fractions[:, np.newaxis, np.newaxis], (len(fractions), *size))
