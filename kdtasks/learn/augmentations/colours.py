"""What changes of brightness and colour share."""

import numpy as np
from numpy.random import Generator

# Parts of red, green and blue in what the eye takes as brightness (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def draw_factors(rng: Generator, count: int, strength: float) -> np.ndarray:
    """Draw factors of 1 − strength … 1 + strength, float32 [N, 1, 1, 1]."""
    return (1.0 + rng.uniform(-1, 1, (count, 1, 1, 1)) * strength).astype(np.float32)


def grey(images: np.ndarray) -> np.ndarray:
    """Return the brightness of pixels, float32 [N, height, width, 1]; grey images as they are."""
    if images.shape[-1] == 1:
        return images.astype(np.float32)
    return (images @ _LUMA)[..., np.newaxis]


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Round float images to uint8; what is below 0 or above 255 becomes that."""
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)
