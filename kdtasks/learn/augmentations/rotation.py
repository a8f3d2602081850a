"""Turns to either side."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.learn.augmentations import Affine, Geometric, Size, augmentations


@augmentations.register
class Rotation(Geometric):
    """Turn each image about its centre, by as much as `degrees` either way."""

    order: ClassVar[int] = 10

    name: Literal["rotation"] = "rotation"
    degrees: Annotated[float, Field(ge=0.0, le=180.0)] = Field(
        default=10.0, description="largest rotation either way"
    )

    def draw(self, rng: Generator, count: int, size: Size, affine: Affine) -> Affine:
        angle = np.radians(rng.uniform(-1, 1, count) * self.degrees)
        return replace(affine, angle=affine.angle + angle)
