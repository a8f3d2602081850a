"""To the sides, up and down."""

from dataclasses import replace
from typing import ClassVar, Literal

from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction
from kdtasks.learn.augmentations import Affine, Geometric, Size, augmentations


@augmentations.register
class Shift(Geometric):
    """Shift each image; what comes in at an edge repeats the pixels there."""

    order: ClassVar[int] = 30

    name: Literal["shift"] = "shift"
    fraction: Fraction = Field(
        default=0.1, description="largest shift, as a fraction of height and width"
    )

    def draw(self, rng: Generator, count: int, size: Size, affine: Affine) -> Affine:
        height, width = size
        shift_x = rng.uniform(-1, 1, count) * self.fraction * width
        shift_y = rng.uniform(-1, 1, count) * self.fraction * height
        return replace(affine, shift_x=affine.shift_x + shift_x, shift_y=affine.shift_y + shift_y)
