"""Decode the bytes of one picture from anybody, as `prepare` decodes a file."""

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kdtasks.datasets.picture import FORMATS, fit_picture, to_eight_bits
from kdtasks.errors import DatasetError
from kdtasks.serving.refusal import Refusal

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 50_000_000


def decode_picture(
    data: bytes, shape: tuple[int, ...], *, most_pixels: int = MOST_PIXELS
) -> npt.NDArray[np.uint8]:
    """Decode a picture and fit it to a model: uint8 of `shape` [height, width, channels].

    Its size is read from its header, before any pixel is decoded. Safe in several threads at once.

    Raises:
        Refusal: 400 there is nothing, 413 more than `most_pixels`, 415 it is no picture of a kind
            that is read, 422 it is one and damaged.
    """
    if not data:
        raise Refusal(400, "the body is empty; send a picture's bytes, or a form with a file")
    height, width, channels = shape
    try:
        eight_bits = to_eight_bits(_decode(data, most_pixels))
    except DatasetError as error:
        raise Refusal(415, str(error)) from None
    pixels = np.asarray(eight_bits)
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    return fit_picture(pixels, image_size=(height, width), channels=channels)


def _decode(data: bytes, most_pixels: int) -> "Image":
    import PIL.Image
    import PIL.ImageOps

    bombs = (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning)
    too_many = Refusal(413, f"the picture has more than {most_pixels:,} pixels; make it smaller")
    try:
        file = PIL.Image.open(io.BytesIO(data), formats=FORMATS)
    except PIL.UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise Refusal(415, f"the {len(data):,} bytes are no picture; send one of {known}") from None
    except bombs:
        raise too_many from None
    except Exception as error:  # on damaged files Pillow's plugins raise nearly anything
        raise _damaged(error) from None
    with file:
        if file.width * file.height > most_pixels:
            raise too_many
        try:
            file.load()
            upright = PIL.ImageOps.exif_transpose(file)
        except bombs:
            raise too_many from None
        except Exception as error:
            raise _damaged(error) from None
        upright.format = file.format
        return upright


def _damaged(error: Exception) -> Refusal:
    reason = " ".join(str(error).split()) or type(error).__name__
    return Refusal(422, f"the picture is damaged or cut short ({reason}); send it again")
