"""Values of 16 bits a channel, scaled to 8 by a range that is the same for a whole dataset.

Pillow has no mode for colours of 16 bits: it keeps the upper byte of each. Decoding a second time
with the bytes named the other way round gives the lower ones.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

DeepRange = tuple[int, int]

GREY_MODES = frozenset(["I;16", "I;16L", "I;16B", "I;16N"])
# Rows that are turned at once, so that little is held beside the image.
STRIP = 256
_OTHER_ENDS = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


def is_deep(image: "Image") -> bool:
    """Tell whether an image that is opened and not yet decoded has 16 bits a channel.

    PPM files are none: they name their largest value, and Pillow scales by it.
    """
    if image.mode in GREY_MODES:
        return True
    return image.mode not in ("I", "F") and ";16" in _raw_mode(image)


class DeepImage(NamedTuple):
    """A decoded image of 16 bits a channel.

    Attributes:
        upper: grey of 16 bits, or the upper bytes of colours.
        lower: the lower bytes of colours; None for grey.
        grey_and_alpha: `lower` has all four bytes of a grey value and its transparency.
    """

    upper: "Image"
    lower: "Image | None" = None
    grey_and_alpha: bool = False

    def strips(self) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
        """Yield from the top a first row and uint16 [rows, width] or [rows, width, channels]."""
        width, height = self.upper.size
        for top in range(0, height, STRIP):
            box = (0, top, width, min(height, top + STRIP))
            values = np.asarray(self.upper.crop(box)).astype(np.uint16)
            if self.lower is not None:
                lower = np.asarray(self.lower.crop(box)).astype(np.uint16)
                values = (values << 8 | lower).astype(np.uint16)
                if self.grey_and_alpha:
                    both = (lower[..., ::2] << 8 | lower[..., 1::2]).astype(np.uint16)
                    values = both[..., [0, 0, 0, 1]]
            yield top, values

    def scaled(self, deep_range: DeepRange) -> "Image":
        """Make 8 bits of 16: the range's ends become 0 and 255, what is beyond is clipped.

        `upper` is overwritten where the image has colours.
        """
        import PIL.Image

        low, high = deep_range
        values = np.clip(np.arange(65536), low, high) - low
        table = ((values * 255 + (high - low) // 2) // (high - low)).astype(np.uint8)
        scaled = PIL.Image.new("L", self.upper.size) if self.lower is None else self.upper
        for top, strip in self.strips():
            scaled.paste(PIL.Image.fromarray(table[strip], scaled.mode), (0, top))
        scaled.info.pop("transparency", None)  # a value of 16 bits
        return scaled

    def highest(self) -> int:
        """Give the largest value of all colours; transparency does not count."""
        has_alpha = self.upper.mode == "RGBA"
        return max(
            int((strip[..., :3] if has_alpha else strip).max()) for _, strip in self.strips()
        )


def decode_deep(image: "Image", reopen: "Image") -> DeepImage:
    """Decode an image of 16 bits a channel.

    Args:
        image: opened and not yet decoded.
        reopen: the same file, opened once more.

    Raises:
        ValueError: its colours are multiplied by their transparency.
    """
    raw = _raw_mode(image)
    image.load()
    if image.mode in GREY_MODES:
        return DeepImage(image)
    if raw.startswith("RGBa"):
        raise ValueError("16 bits multiplied by transparency; save it without")
    # Pillow cannot read the lower bytes of grey and transparency; as four bytes it reads all.
    grey_and_alpha = raw.startswith("LA")
    other = "RGBA" if grey_and_alpha else raw[:-1] + _OTHER_ENDS[raw[-1]]
    reopen.tile = [  # type: ignore[attr-defined]
        tile._replace(args=other if isinstance(tile.args, str) else (other, *tile.args[1:]))
        for tile in reopen.tile  # type: ignore[attr-defined]
    ]
    reopen.load()
    return DeepImage(image, reopen, grey_and_alpha)


def fitting_range(highest: int) -> DeepRange:
    """Give the range of the smallest usual number of bits (8, 10, 12, 14, 16) that holds a value.

    Args:
        highest: the largest value of a dataset.
    """
    return 0, next(2**bits - 1 for bits in (8, 10, 12, 14, 16) if highest < 2**bits)


def _raw_mode(image: "Image") -> str:
    """Give Pillow's name for how the file lays out a pixel, such as `RGB;16B`."""
    tiles = getattr(image, "tile", None) or [(None, None, None, "")]
    args = tiles[0][3]
    found = args if isinstance(args, str) else next(iter(args or ()), "")
    return found if isinstance(found, str) else ""
