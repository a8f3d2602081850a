"""Read one image file of any common kind as uint8, and fit it to a size."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kdtasks.core.errors import DatasetError

if TYPE_CHECKING:
    from PIL.Image import Image


# Plain images only: other plugins of Pillow start programs (EPS) or read video. JPEG's covers
# MPO, the files of two frames that phones write.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

_NAMES = "bmp gif jfif jp2 jpe jpeg jpg mpo pbm pgm png pnm ppm tif tiff webp"
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())

SIXTEEN_BIT_MODES = frozenset(["I;16", "I;16L", "I;16B", "I;16N"])
TRANSPARENT_MODES = frozenset(["LA", "La", "PA", "RGBA", "RGBa"])


@contextmanager
def strict_decoding() -> Iterator[None]:
    """Make Pillow refuse decompression bombs, and keep its other warnings quiet.

    Not for use in several threads at once: filters of warnings are the whole process's.
    """
    from PIL.Image import DecompressionBombWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", DecompressionBombWarning)
        yield


def open_image(path: Path) -> "Image":
    """Decode the first frame of a file, upright as its EXIF orientation says.

    Call it within `strict_decoding()`.

    Raises:
        DatasetError: with a few words only, for a list of problems: the file is no image, is
            damaged or cut short, or holds more pixels than Pillow's limit.
    """
    import PIL.Image
    import PIL.ImageOps

    if not path.is_file():
        raise DatasetError("a link or entry that leads to no file")
    try:
        with PIL.Image.open(path, formats=FORMATS) as file:
            file.load()
            upright = PIL.ImageOps.exif_transpose(file)
            upright.format = file.format
            return upright
    except PIL.UnidentifiedImageError:
        known = path.suffix.lower() in SUFFIXES
        raise DatasetError("not readable as an image" if known else "not an image") from None
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        limit = PIL.Image.MAX_IMAGE_PIXELS or 0
        raise DatasetError(f"more than {limit:,} pixels; cut it into smaller images") from None
    except Exception as error:  # on damaged files Pillow's decoders raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"damaged or cut short ({reason})") from None


def read_image(
    image: Path | np.ndarray, *, image_size: tuple[int, int] | None, channels: int | None
) -> np.ndarray:
    """Read a file, or take uint8 [height, width, 1 or 3], as uint8 [height, width, channels].

    See `open_image` and `to_eight_bits` for files.

    Args:
        image_size: height and width; None keeps the image's own.
        channels: 1 or 3; None keeps an array's own, and makes 3 of a file.
    """
    if isinstance(image, Path):
        opened = _with_channels(to_eight_bits(open_image(image)), channels or 3)
        return as_array(_resized(opened, image_size))
    height, width, own = image.shape
    return fit_image(image, image_size=image_size or (height, width), channels=channels or own)


def to_eight_bits(image: "Image") -> "Image":
    """Turn any mode into `L` or `RGB`: 16 bits are scaled down, transparency becomes white.

    Raises:
        DatasetError: pixels of 32 bits, whose range nobody knows, or a mode Pillow cannot turn.
    """
    import PIL.Image

    # Mode `I` is Pillow's older way to hold the 16 bits of a PNG.
    if image.mode in SIXTEEN_BIT_MODES or (image.mode == "I" and image.format == "PNG"):
        wide = np.asarray(image).astype(np.int64)
        return PIL.Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise DatasetError("pixels of 32 bits; convert it to 8 or 16 bits")
    if image.mode == "1":
        return image.convert("L")
    transparent = image.mode in TRANSPARENT_MODES or "transparency" in image.info
    if image.mode in ("L", "RGB") and not transparent:
        return image
    try:
        if transparent:
            grey = image.mode in ("L", "LA", "La")
            upper = image.convert("RGBA")
            paper = PIL.Image.new("RGBA", image.size, "white")
            return PIL.Image.alpha_composite(paper, upper).convert("L" if grey else "RGB")
        return image.convert("RGB")
    except ValueError:
        raise DatasetError(f"colour mode {image.mode}; convert it to RGB") from None


def fit_image(pixels: np.ndarray, *, image_size: tuple[int, int], channels: int) -> np.ndarray:
    """Resize uint8 [height, width, 1 or 3] and give it 1 or 3 channels; as it is where it fits."""
    if pixels.shape == (*image_size, channels):
        return pixels
    import PIL.Image

    image = PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return as_array(_resized(_with_channels(image, channels), image_size))


def resize_mask(labels: np.ndarray, image_size: tuple[int, int] | None) -> np.ndarray:
    """Resize labels to (height, width) by the nearest pixel: classes cannot be mixed."""
    if image_size is None or labels.shape == image_size:
        return labels
    import PIL.Image

    resized = PIL.Image.fromarray(labels).resize(image_size[::-1], PIL.Image.Resampling.NEAREST)
    return np.asarray(resized)


def _with_channels(image: "Image", channels: int) -> "Image":
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _resized(image: "Image", image_size: tuple[int, int] | None) -> "Image":
    from PIL.Image import Resampling

    if image_size is None or image.size == image_size[::-1]:
        return image
    # Pillow widens the filter as it shrinks an image, which is what keeps it free of aliasing.
    return image.resize(image_size[::-1], Resampling.BILINEAR)


def as_array(image: "Image") -> np.ndarray:
    """Give the pixels of an `L` or `RGB` image: uint8 [height, width, 1 or 3]."""
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels
