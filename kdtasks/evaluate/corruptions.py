"""Damage images by the formulas of ImageNet-C.

Source: Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions
    and Perturbations", ICLR, arXiv 1903.12261; constants and roundings are those of the authors'
    programs for CIFAR-10-C (32×32) and ImageNet-C (224×224).
"""

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.evaluate.settings import CorruptionName

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

# The shorter side from which images get ImageNet-C's constants: the geometric mean of 32 and 224.
LARGE_FROM = 85


class Corruption(NamedTuple):
    """One way in which images go bad.

    Attributes:
        damage: from uint8 images [N, height, width, channels], a constant and a generator, of which
            noise alone draws, to images of the same form.
        small, large: the constants of severities 1 to 5, as of CIFAR-10-C and ImageNet-C.
    """

    damage: Callable[[Pixels, float, np.random.Generator], Pixels]
    small: tuple[float, ...]
    large: tuple[float, ...]


def corrupt(
    images: Pixels, name: CorruptionName, severity: int, generator: np.random.Generator
) -> Pixels:
    """Damage images.

    Args:
        images: uint8 [N, height, width, channels], of one channel or three.
        name: of the corruption.
        severity: 1 … 5.
        generator: of the noise; images in several parts get what they get as one.
    """
    corruption = CORRUPTIONS[name]
    is_large = min(images.shape[1:3]) >= LARGE_FROM
    constant = (corruption.large if is_large else corruption.small)[severity - 1]
    return corruption.damage(np.asarray(images), constant, generator)


def _bytes(fractions: Floats) -> Pixels:
    """Clip 0 … 1 and cut to bytes, as the authors do."""
    return (np.clip(fractions, 0, 1) * 255).astype(np.uint8)


def _gaussian_noise(images: Pixels, spread: float, generator: np.random.Generator) -> Pixels:
    return _bytes(images / 255 + generator.normal(scale=spread, size=images.shape))


def _gaussian_blur(images: Pixels, sigma: float, generator: np.random.Generator) -> Pixels:
    from scipy.ndimage import gaussian_filter  # heavy, and only needed here

    return _bytes(gaussian_filter(images / 255, (0, sigma, sigma, 0), mode="nearest"))


def _brightness(images: Pixels, more: float, generator: np.random.Generator) -> Pixels:
    """Add to the value of HSV: hue and saturation stay, so all channels grow by one factor."""
    value = images.max(axis=3, keepdims=True) / 255
    brighter = np.minimum(value + more, 1)
    factor = np.divide(brighter, value, out=np.zeros_like(value), where=value > 0)
    return _bytes(np.where(value > 0, images / 255 * factor, brighter))


def _contrast(images: Pixels, factor: float, generator: np.random.Generator) -> Pixels:
    fractions = images / 255
    means = fractions.mean(axis=(1, 2), keepdims=True)
    return _bytes((fractions - means) * factor + means)


def _jpeg(images: Pixels, quality: float, generator: np.random.Generator) -> Pixels:
    import PIL.Image

    def damaged(image: Pixels) -> Pixels:
        file = BytesIO()
        PIL.Image.fromarray(image.squeeze()).save(file, "JPEG", quality=int(quality))
        return np.asarray(PIL.Image.open(file)).reshape(image.shape)

    return np.stack([damaged(image) for image in images])


def _pixelate(images: Pixels, factor: float, generator: np.random.Generator) -> Pixels:
    import PIL.Image

    height, width = images.shape[1:3]
    few = max(1, int(width * factor)), max(1, int(height * factor))

    def damaged(image: Pixels) -> Pixels:
        small = PIL.Image.fromarray(image.squeeze()).resize(few, PIL.Image.Resampling.BOX)
        return np.asarray(small.resize((width, height), PIL.Image.Resampling.BOX)).reshape(
            image.shape
        )

    return np.stack([damaged(image) for image in images])


CORRUPTIONS: dict[CorruptionName, Corruption] = {
    "gaussian_noise": Corruption(
        _gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.1), (0.08, 0.12, 0.18, 0.26, 0.38)
    ),
    "gaussian_blur": Corruption(_gaussian_blur, (0.4, 0.6, 0.7, 0.8, 1.0), (1, 2, 3, 4, 6)),
    "brightness": Corruption(_brightness, (0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": Corruption(_contrast, (0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
    "jpeg": Corruption(_jpeg, (80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
    "pixelate": Corruption(_pixelate, (0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)),
}
