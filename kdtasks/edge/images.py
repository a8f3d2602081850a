"""Bring decoded images to 8 bits, to a number of channels and to a size."""

from typing import TYPE_CHECKING

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.edge.depth import STRIP

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[float, float, float, float]

TRANSPARENT_MODES = frozenset(["LA", "La", "PA", "RGBA", "RGBa"])


def to_eight_bits(image: "Image") -> "Image":
    """Turn any mode of up to 8 bits a channel into `L` or `RGB`; transparency becomes white.

    Raises:
        DatasetError: pixels of 32 bits, whose range nobody knows, or a mode Pillow cannot turn.
    """
    if image.mode in ("I", "F"):
        raise DatasetError("pixels of 32 bits or with a sign; convert it to 8 or 16 bits without")
    if image.mode == "1":
        return image.convert("L")
    transparent = image.mode in TRANSPARENT_MODES or "transparency" in image.info
    if image.mode in ("L", "RGB") and not transparent:
        return image
    try:
        if transparent:
            return _on_white(image, "L" if image.mode in ("L", "LA", "La") else "RGB")
        return image.convert("RGB")
    except ValueError:
        raise DatasetError(f"colour mode {image.mode}; convert it to RGB") from None


def fit_image(pixels: np.ndarray, *, image_size: tuple[int, int], channels: int) -> np.ndarray:
    """Resize uint8 [height, width, 1 or 3] and give it 1 or 3 channels; as it is where it fits."""
    if pixels.shape == (*image_size, channels):
        return pixels
    import PIL.Image

    image = PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return as_array(resized(with_channels(image, channels), image_size))


def resize_mask(labels: np.ndarray, image_size: tuple[int, int] | None) -> np.ndarray:
    """Resize labels to (height, width) by the nearest pixel: classes cannot be mixed."""
    if image_size is None or labels.shape == image_size:
        return labels
    import PIL.Image

    smaller = PIL.Image.fromarray(labels).resize(image_size[::-1], PIL.Image.Resampling.NEAREST)
    return np.asarray(smaller)


def with_channels(image: "Image", channels: int) -> "Image":
    """Give an `L` or `RGB` image 1 or 3 channels."""
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def resized(image: "Image", image_size: tuple[int, int] | None, box: Box | None = None) -> "Image":
    """Resize to (height, width); None, or the size that it has, leaves it as it is.

    Args:
        box: left, top, right and bottom of the part that counts, in pixels; None for all.
    """
    from PIL.Image import Resampling

    if image_size is None or image.size == image_size[::-1]:
        return image
    # Pillow widens the filter as it shrinks an image, which is what keeps it free of aliasing.
    return image.resize(image_size[::-1], Resampling.BILINEAR, box=box)


def as_array(image: "Image") -> np.ndarray:
    """Give the pixels of an `L` or `RGB` image: uint8 [height, width, 1 or 3]."""
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _on_white(image: "Image", mode: str) -> "Image":
    """Lay an image on white paper, strip by strip: a large one is not held three times."""
    import PIL.Image

    upper = image if image.mode == "RGBA" else image.convert("RGBA")
    result = PIL.Image.new(mode, image.size)
    for top in range(0, image.height, STRIP):
        strip = upper.crop((0, top, image.width, min(image.height, top + STRIP)))
        paper = PIL.Image.new("RGBA", strip.size, "white")
        result.paste(PIL.Image.alpha_composite(paper, strip).convert(mode), (0, top))
    return result
