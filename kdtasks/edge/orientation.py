"""EXIF's orientation: which way round an image is stored, and how it is turned upright."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

_TAG = 0x0112
# In the order of EXIF's 2 … 8: what is done to see the image upright.
_TURNS = (
    "FLIP_LEFT_RIGHT",
    "ROTATE_180",
    "FLIP_TOP_BOTTOM",
    "TRANSPOSE",
    "ROTATE_270",
    "TRANSVERSE",
    "ROTATE_90",
)


def orientation_of(image: "Image") -> int:
    """Read the orientation of an image, 1 … 8; 1 is upright, and taken where there is none."""
    found = image.getexif().get(_TAG, 1)
    return found if found in range(2, 9) else 1


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Swap height and width where an orientation of EXIF turns by a quarter."""
    return (size[1], size[0]) if orientation > 4 else size


def upright(image: "Image", orientation: int) -> "Image":
    """Turn an image as EXIF's orientation says."""
    import PIL.Image

    if orientation == 1:
        return image
    return image.transpose(PIL.Image.Transpose[_TURNS[orientation - 2]])


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn [height, width] or [height, width, channels] as EXIF's orientation says."""
    import PIL.Image

    return np.asarray(upright(PIL.Image.fromarray(pixels), orientation))
