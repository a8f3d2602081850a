"""A box of one image in another."""

from typing import ClassVar, Literal

import numpy as np
from numpy.random import Generator

from kdtasks.learn.augmentations import Size, augmentations
from kdtasks.learn.augmentations.boxes import inside
from kdtasks.learn.augmentations.mixing import Mixing


@augmentations.register
class CutMix(Mixing):
    """Put a box of another image of the same batch into each; masks go with their pixels.

    The box has sides of √(1 − λ) of the image's and its centre anywhere; where it reaches beyond
    an edge it is cut. Both labels of a classified image count, by their areas; an image that
    `mixup` has mixed stays. The teacher answers to what comes out. Source: Yun et al. 2019, arXiv
    1905.04899.
    """

    order: ClassVar[int] = 220
    mixes_masks: ClassVar[bool] = True

    name: Literal["cutmix"] = "cutmix"

    def share(self, fractions: np.ndarray, size: Size, rng: Generator) -> np.ndarray:
        lengths = np.array(size)[:, np.newaxis]
        sides = np.rint(np.sqrt(1.0 - fractions) * lengths).astype(int)
        centres = (rng.random((2, len(fractions))) * lengths).astype(int)
        top, left = centres - sides // 2
        stays: np.ndarray = ~inside(size, top, left, sides)
        return stays
