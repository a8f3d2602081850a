"""The one way in which image files become pixels: for `prepare`, `predict`, servers and devices."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from kdtasks.core.errors import DatasetError
from kdtasks.core.memory import give_back_large
from kdtasks.edge.decoding_cost import PLAIN, bytes_a_pixel, count_scans
from kdtasks.edge.depth import DeepImage, DeepRange, decode_deep, is_deep
from kdtasks.edge.formats import RAW_ADVICE, is_raw, readable_formats, why_unreadable
from kdtasks.edge.images import Box, as_array, fit_image, resized, to_eight_bits, with_channels
from kdtasks.edge.orientation import orientation_of, turned_size, upright

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]


class Content(NamedTuple):
    """A file that has been read.

    Attributes:
        data: all of it.
        suffix: of its name, in lower case, by which raw files are known; "" where it has none.
    """

    data: bytes
    suffix: str = ""


File = Path | bytes | Content

# Pillow's own limit: 256 MiB of colours of 8 bits.
MAX_PIXELS = 89_478_485
# A JPEG is decoded at the smallest scale that is at least so many times the size that is wanted.
_SPARE = 3
_FULL_RANGE: DeepRange = (0, 65535)
_MOST_BYTES = 10  # for each of `max_pixels`
# Each goes through all coefficients, in 40 ms of 49 million pixels, and may be 75 bytes of a file.
_MOST_SCANS = 100
# Pillow's blocks of memory, in bytes. What is small stays with the thread that used it, up to a
# whole image in each.
_BLOCK = 64 << 20


class ImageError(DatasetError):
    """An image that cannot be used, in a few words, for a list of problems.

    Attributes:
        kind: `unknown`, it is no image; `large`, it has too many pixels; `unsupported`, its kind
            is not read; `damaged`.
    """

    def __init__(self, kind: Literal["unknown", "large", "unsupported", "damaged"], message: str):
        super().__init__(message)
        self.kind = kind


class Header(NamedTuple):
    """What a file says of its image before a pixel is decoded.

    Attributes:
        size: height and width of the pixels as they are stored.
        orientation: EXIF's, 1 … 8; 1 is upright, 5 and more are turned by a quarter.
        deep: whether it has 16 bits a channel, see `kdtasks.edge.depth`.
        animated: whether it has several frames, of which the first is read.
        format: as Pillow calls it, such as `JPEG`.
    """

    size: Size
    orientation: int
    deep: bool
    animated: bool
    format: str

    @property
    def upright_size(self) -> Size:
        """Height and width, seen upright."""
        return turned_size(self.size, self.orientation)


class DecodedImage(NamedTuple):
    """An image as a model takes it.

    Attributes:
        pixels: uint8 [height, width, 1 or 3].
        size: height and width that it had before it was resized, upright.
        animated: whether the file has further frames.
    """

    pixels: np.ndarray
    size: Size
    animated: bool = False


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Leave the limit of pixels to `Decoder`, and keep Pillow's warnings out of the terminal.

    Large images then give their memory back. Pillow's own limit, its memory and filters of warnings
    are the whole process's: enter it once, around all.
    """
    import PIL.Image

    limit = PIL.Image.MAX_IMAGE_PIXELS
    PIL.Image.core.set_block_size(_BLOCK)
    give_back_large()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        PIL.Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit


@dataclass(frozen=True)
class Decoder:
    """Reads the first frame of an image, upright as its EXIF orientation says.

    Safe in several threads at once. What holds most at its peak is the image as Pillow decodes it:
    four bytes a pixel, nine with transparency or 16 bits, up to twenty in some formats.

    Attributes:
        max_pixels: files of more are refused by their header, before a pixel is decoded; of kinds
            that take more than ten bytes a pixel, WEBP and JPEG 2000, fewer are the most.
        deep_range: of 16 bits a channel, the values that become 0 and 255; None refuses such files.
    """

    max_pixels: int = MAX_PIXELS
    deep_range: DeepRange | None = None

    def header(self, file: File) -> Header:
        """Read what a file says of itself; errors as of `read`."""
        with self._opened(file) as image:
            orientation = 1 if _lacks_exif(image) else orientation_of(image)
            size = (image.height, image.width)
            if image.format == "TIFF":  # Pillow has turned its size
                size = turned_size(size, orientation)
            form = image.format or "unknown"
            return Header(size, orientation, is_deep(image), _is_animated(image), form)

    def read(
        self,
        file: File | np.ndarray,
        *,
        image_size: Size | None = None,
        channels: int | None = None,
    ) -> DecodedImage:
        """Decode an image, bring it to 8 bits, turn it upright and fit it to a size.

        A JPEG that is to become much smaller is decoded at a half, a quarter or an eighth of its
        size, of which at least three times the wanted one is left.

        Args:
            file: its path or content; or uint8 [height, width, 1 or 3], which is fitted alone.
            image_size: height and width; None keeps the image's own.
            channels: 1 or 3; None keeps an array's own, and makes 3 of a file.

        Raises:
            ImageError: it cannot be used.
        """
        if isinstance(file, np.ndarray):
            size, own = (file.shape[0], file.shape[1]), file.shape[2]
            fitted = fit_image(file, image_size=image_size or size, channels=channels or own)
            return DecodedImage(fitted, size)
        with self._opened(file) as image:
            size, animated = (image.height, image.width), _is_animated(image)
            box = _drafted(image, image_size)
            eight = self._eight_bits(image, file)
            orientation = orientation_of(image)  # of a PNG it may stand behind the pixels
            if image.format == "TIFF":  # Pillow has turned its pixels, and says so no longer
                size = (image.height, image.width)
            stored = image_size and turned_size(image_size, orientation)
            num_channels = 3 if channels is None else channels
            if eight.mode == "L":  # three equal channels need not be resized
                final = with_channels(resized(eight, stored, box), num_channels)
            else:
                final = resized(with_channels(eight, num_channels), stored, box)
            pixels = as_array(upright(final, orientation))
        return DecodedImage(pixels, turned_size(size, orientation), animated)

    def open_upright(self, file: File) -> "Image":
        """Decode an image in its own mode, say a mask, and turn it upright; errors as of `read`."""
        with self._opened(file) as image:
            image.load()
            turned = upright(image, orientation_of(image))
            turned.format = image.format
            return turned

    def pixels_held(self, file: File, image_size: Size | None = None) -> int:
        """Count what `read` will hold at its peak, in pixels of four bytes; errors as of `read`."""
        with self._opened(file) as image:
            # of several scans libjpeg keeps two bytes of each value, in the whole size
            kept = 2 * len(image.getbands()) if count_scans(image) > 1 else 0
            held = kept * image.width * image.height
            _drafted(image, image_size)
            held += bytes_a_pixel(image) * image.width * image.height
            return -(-held // PLAIN)

    def highest_value(self, file: File) -> int:
        """Decode an image of 16 bits a channel for its largest value; errors as of `read`."""
        with self._opened(file) as image:
            return self._deep(image, file).highest()

    def _eight_bits(self, image: "Image", file: File) -> "Image":
        if image.format == "PPM" and image.mode == "I":  # scaled by the file's own largest value
            image.load()
            return DeepImage(image).scaled(_FULL_RANGE)
        if not is_deep(image):
            image.load()
            return to_eight_bits(image)
        if self.deep_range is None:
            raise ImageError(
                "unsupported",
                "16 bits a channel, and the values that are black and white are not known: there "
                "were no such images when the data was prepared; convert it to 8 bits, or prepare "
                "with data.range set",
            )
        return to_eight_bits(self._deep(image, file).scaled(self.deep_range))

    def _deep(self, image: "Image", file: File) -> DeepImage:
        with self._opened(file) as again:
            return decode_deep(image, again)

    @contextmanager
    def _opened(self, file: File) -> Iterator["Image"]:
        """Open a file by its header; what decoding it raises within becomes an ImageError."""
        import PIL.Image

        source: Path | io.BytesIO
        if isinstance(file, Path):
            if not file.is_file():
                raise ImageError("unknown", "a link or entry that leads to no file")
            source, suffix = file, file.suffix.lower()
            with file.open("rb") as opened:
                head = opened.read(32)
        else:
            data, suffix = file if isinstance(file, Content) else Content(file)
            source, head = io.BytesIO(data), data[:32]
        if is_raw(suffix, head):
            raise ImageError("unsupported", RAW_ADVICE)
        large = "more than {:,} pixels; cut it into smaller images"
        try:
            PIL.Image.preinit()  # else Pillow 13 has one plugin, and loads forty for the next
            with PIL.Image.open(source, formats=readable_formats(head)) as image:
                most = min(1.0, _MOST_BYTES / bytes_a_pixel(image)) * self.max_pixels
                if image.width * image.height > most:
                    raise ImageError("large", large.format(int(most)))
                if (scans := count_scans(image)) > _MOST_SCANS:
                    few = f"a JPEG of {scans:,} scans, {_MOST_SCANS} are the most; save it anew"
                    raise ImageError("unsupported", few)
                _refuse_preview(image)
                yield image
        except ImageError:
            raise
        except DatasetError as error:
            raise ImageError("unsupported", str(error)) from None
        except PIL.UnidentifiedImageError:
            raise ImageError("unknown", why_unreadable(suffix, head)) from None
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
            raise ImageError("large", large.format(self.max_pixels)) from None
        except Exception as error:  # on damaged files Pillow's decoders raise nearly anything
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ImageError("damaged", f"damaged or cut short ({reason})") from None


def _is_animated(image: "Image") -> bool:
    # The second frame of a phone's MPO is a preview or a depth map.
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _lacks_exif(image: "Image") -> bool:
    """Whether a PNG's header has no EXIF; Pillow would decode all of it to look behind."""
    return image.format == "PNG" and not {"exif", "Raw profile type exif"} & set(image.info)


def _drafted(image: "Image", image_size: Size | None) -> Box | None:
    """Have a JPEG decoded at a smaller scale; gives the part that its pixels fill."""
    if image_size is None or image.format not in ("JPEG", "MPO"):
        return None
    height, width = turned_size(image_size, orientation_of(image))
    drafted = image.draft(None, (_SPARE * width, _SPARE * height))
    return drafted[1] if drafted else None


def _refuse_preview(image: "Image") -> None:
    """Refuse a TIFF whose first image is a small preview, as cameras' raw files have it."""
    tags = getattr(image, "tag_v2", None)
    if tags is not None and (50706 in tags or (tags.get(254, 0) & 1 and 330 in tags)):
        raise ImageError("unsupported", RAW_ADVICE)
