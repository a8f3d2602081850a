"""Read a mask file as labels."""

from pathlib import Path

import numpy as np

from kdtasks.datasets.palette import Palette
from kdtasks.datasets.picture import SIXTEEN_BIT_MODES, open_picture
from kdtasks.errors import DatasetError

INDEX_MODES = frozenset(["1", "L", "P", "I"]) | SIXTEEN_BIT_MODES


def read_mask(path: Path, palette: Palette) -> np.ndarray:
    """Read a mask as labels, uint8 [height, width]; transparency is not looked at.

    Call it within `strict_decoding()`.

    Raises:
        DatasetError: with a few words only, for a list of problems.
    """
    image = open_picture(path)
    if palette.kind == "index":
        if image.mode not in INDEX_MODES:
            raise DatasetError(f"a mask of mode {image.mode}, indices need one channel")
        return palette.labels(np.asarray(image).astype(np.int64))
    if image.mode in SIXTEEN_BIT_MODES or image.mode in ("I", "F"):
        raise DatasetError(f"a mask of mode {image.mode}, colours need 8 bits a channel")
    try:
        colours = np.asarray(image.convert("RGB")).astype(np.int32)
    except ValueError:
        raise DatasetError(f"colour mode {image.mode}; convert it to RGB") from None
    return palette.labels(colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2])


def resize_mask(labels: np.ndarray, image_size: tuple[int, int] | None) -> np.ndarray:
    """Resize labels to (height, width) by the nearest pixel: classes cannot be mixed."""
    import PIL.Image

    if image_size is None or labels.shape == image_size:
        return labels
    resized = PIL.Image.fromarray(labels).resize(image_size[::-1], PIL.Image.Resampling.NEAREST)
    return np.asarray(resized)
