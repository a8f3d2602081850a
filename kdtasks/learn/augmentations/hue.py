"""Other colours."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.learn.augmentations import Photometric, augmentations
from kdtasks.learn.augmentations.colours import to_uint8

# Where red, green and blue are on the circle of hues, in sixths of it, for the formula below.
_PLACES = np.array([5, 3, 1], np.float32)


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
        turns = rng.uniform(-1, 1, (len(images), 1, 1, 1)) * self.turn
        if images.shape[-1] == 1:
            return images
        pixels = images.astype(np.float32)
        value, chroma = pixels.max(axis=-1, keepdims=True), np.ptp(pixels, axis=-1, keepdims=True)
        hue = _sixths(pixels, value, chroma) + np.float32(6.0) * turns.astype(np.float32)
        # V − C · max(0, min(k, 4 − k, 1)), k = (place + hue) modulo 6: from HSV to RGB.
        distance = np.mod(_PLACES + hue, np.float32(6.0))
        return to_uint8(value - chroma * np.clip(np.minimum(distance, 4.0 - distance), 0.0, 1.0))


def _sixths(pixels: np.ndarray, value: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Give the hue in sixths of the circle, red at 0, float32 [N, height, width, 1]."""
    red, green, blue = (pixels[..., channel, np.newaxis] for channel in range(3))
    size = np.maximum(chroma, 1.0)  # of grey, whose chroma is 0, the hue is nothing
    after_green = np.where(value == green, 2 + (blue - red) / size, 4 + (red - green) / size)
    hue: np.ndarray = np.where(value == red, (green - blue) / size, after_green)
    return hue
