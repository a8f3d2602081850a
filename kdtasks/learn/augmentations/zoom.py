"""Nearer or farther."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from numpy.random import Generator
from pydantic import Field

from kdtasks.learn.augmentations import Affine, Geometric, Size, augmentations


@augmentations.register
class Zoom(Geometric):
    """Make each image larger or smaller about its centre."""

    order: ClassVar[int] = 20

    name: Literal["zoom"] = "zoom"
    fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.1, description="largest zoom in or out, as a fraction of the size"
    )

    def draw(self, rng: Generator, count: int, size: Size, affine: Affine) -> Affine:
        return replace(affine, zoom=affine.zoom * (1.0 + rng.uniform(-1, 1, count) * self.fraction))
