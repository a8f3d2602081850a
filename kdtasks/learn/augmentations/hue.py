"""Other colours."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.learn.augmentations import Photometric, augmentations
from kdtasks.learn.augmentations.colours import to_uint8

# Where red, green and blue are on the circle of hues, in sixths of it, for the formula below.
_PLACES = (5, 3, 1)


@augmentations.register
class Hue(Photometric):
    """Turn the colours of each image on the circle of hues, either way; grey images stay.

    The hue of HSV is turned, value and saturation stay.
    """

    order: ClassVar[int] = 140

    name: Literal["hue"] = "hue"
    turn: Annotated[float, Field(ge=0.0, le=0.5)] = Field(
        default=0.02, description="largest turn either way; 1 would be the whole circle"
    )

    def apply(self, images: np.ndarray, rng: Generator) -> np.ndarray:
        turns = (6.0 * self.turn * rng.uniform(-1, 1, (len(images), 1, 1))).astype(np.float32)
        if images.shape[-1] == 1:
            return images
        # Whole planes are several times as fast as pixels of three numbers.
        planes = [images[..., channel].astype(np.float32) for channel in range(3)]
        value, least = np.maximum.reduce(planes), np.minimum.reduce(planes)
        chroma = value - least
        hue = _sixths(planes, value, chroma) + turns
        # V − C · max(0, min(k, 4 − k, 1)), k = (place + hue) modulo 6: from HSV to RGB.
        distances = (place + hue - 6 * np.floor((place + hue) / 6) for place in _PLACES)
        turned = (value - chroma * np.clip(np.minimum(k, 4 - k), 0, 1) for k in distances)
        return np.stack([to_uint8(plane) for plane in turned], axis=-1)


def _sixths(planes: Sequence[np.ndarray], value: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Give the hue in sixths of the circle, red at 0, float32 [N, height, width]."""
    red, green, blue = planes
    size = np.maximum(chroma, 1)  # of grey, whose chroma is 0, the hue is nothing
    after_green = np.where(value == green, 2 + (blue - red) / size, 4 + (red - green) / size)
    hue: np.ndarray = np.where(value == red, (green - blue) / size, after_green)
    return hue
