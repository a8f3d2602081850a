"""Out of focus."""

import math
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction
from kdtasks.learn.augmentations import Photometric, augmentations
from kdtasks.learn.augmentations.colours import to_uint8


@augmentations.register
class Blur(Photometric):
    """Blur some of the images by a Gaussian; beyond an edge the pixels there repeat."""

    order: ClassVar[int] = 150

    name: Literal["blur"] = "blur"
    sigma: Annotated[float, Field(ge=0.0, le=32.0)] = Field(
        default=1.0, description="largest standard deviation of the Gaussian, in pixels"
    )
    probability: Fraction = Field(default=0.5, description="fraction of images that are blurred")

    def at_scale(self, factor: float) -> Self:
        return self.model_copy(update={"sigma": self.sigma * factor})

    def apply(self, images: np.ndarray, rng: Generator) -> np.ndarray:
        count = len(images)
        sigmas = rng.uniform(0, 1, count) * self.sigma * (rng.random(count) < self.probability)
        rows = np.flatnonzero(sigmas)
        radius = math.ceil(3 * self.sigma)
        distances = np.arange(-radius, radius + 1) / np.maximum(sigmas[rows, np.newaxis], 1e-6)
        kernels = np.exp(-0.5 * distances**2)
        kernels = (kernels / kernels.sum(axis=1, keepdims=True)).astype(np.float32)
        blurred = _convolved(images[rows].astype(np.float32), kernels, axis=1)
        images = images.copy()
        images[rows] = to_uint8(_convolved(blurred, kernels, axis=2))
        return images


def _convolved(images: np.ndarray, kernels: np.ndarray, axis: int) -> np.ndarray:
    """Convolve float32 [N, height, width, channels] along an axis with kernels [N, taps]."""
    taps, length = kernels.shape[1], images.shape[axis]
    edges = [(0, 0)] * images.ndim
    edges[axis] = (taps // 2, taps // 2)
    padded = np.moveaxis(np.pad(images, edges, mode="edge"), axis, 0)
    weights = kernels.T[:, :, np.newaxis, np.newaxis]
    total = weights[0] * padded[:length]
    for tap in range(1, taps):
        total += weights[tap] * padded[tap : tap + length]
    return np.moveaxis(total, 0, axis)
