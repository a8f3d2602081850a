"""What it takes to decode an image, seen from its header: memory, and the scans of a JPEG."""

from typing import TYPE_CHECKING

from kdtasks.edge.depth import is_deep

if TYPE_CHECKING:
    from PIL.Image import Image

# Bytes that a pixel takes at the peak of decoding, as measured: an image of one colour, which is a
# file of a kilobyte, can take a hundred thousand times that. Others take Pillow's own four, or nine
# where it turns them into another mode.
_BYTES = {"AVIF": 10, "GIF": 6, "HEIF": 10, "JPEG2000": 20, "TIFF": 9, "WEBP": 16}
PLAIN, _TURNED = 4, 9


def bytes_a_pixel(image: "Image") -> int:
    """Count what decoding takes at its peak, but for a JPEG's coefficients."""
    plain = image.mode in ("1", "L", "RGB") and "transparency" not in image.info
    usual = PLAIN if plain and not is_deep(image) else _TURNED
    return _BYTES.get(image.format or "", usual)


def count_scans(image: "Image") -> int:
    """Count how often a JPEG goes through its pixels; 1 of other formats. The file is open."""
    if image.format not in ("JPEG", "MPO"):
        return 1
    file = image.fp  # type: ignore[attr-defined]
    begin, channels = file.tell(), len(image.getbands())
    # The header of the first scan ends here: its length, and its number of channels. Of an MPO
    # Pillow has gone back to the beginning.
    length = 6 + 2 * channels
    file.seek(max(0, begin - length))
    is_whole = begin == 0 or file.read(3) == bytes((0, length, channels))
    file.seek(begin)
    if is_whole and "progressive" not in image.info:
        return 1
    further = file.read().count(b"\xff\xda")
    file.seek(begin)
    return 1 + max(1, further)
