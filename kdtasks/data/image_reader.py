"""The decoder of `prepare`: each file is read once, and decoded if it never was."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kdtasks.data.decoded_images import DecodedImages, key_of
from kdtasks.edge.decoder import MAX_PIXELS, Content, DecodedImage, Decoder, File, Header, Size
from kdtasks.edge.pixel_budget import PixelBudget

# A file of more bytes is decoded from the disk, and not kept.
_MOST_READ = 256_000_000


@dataclass(frozen=True)
class ImageReader(Decoder):
    """A decoder that keeps small images made of large ones, and the last file of each thread.

    Attributes:
        decoded: where images are kept; None keeps none.
        budget: of the pixels that all threads hold at once.
    """

    decoded: DecodedImages | None = None
    budget: PixelBudget = field(default_factory=lambda: PixelBudget(MAX_PIXELS))
    _last: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    def content(self, path: Path) -> Content | None:
        """Read a file, once while its thread reads no other.

        Returns: None where it is too large to be held, or cannot be read, which decoding will say.
        """
        last: tuple[Path, Content] | None = getattr(self._last, "file", None)
        if last is None or last[0] != path:
            try:
                if not path.is_file() or path.stat().st_size > _MOST_READ:
                    return None
                last = self._last.file = path, Content(path.read_bytes(), path.suffix.lower())
            except OSError:
                return None
        return last[1]

    @contextmanager
    def room(self, file: Path | np.ndarray, image_size: Size | None = None) -> Iterator[None]:
        """Hold, during the block, the room that reading an image takes; errors as of `read`."""
        if isinstance(file, Path):
            with self.budget.held(self.pixels_held(self.content(file) or file, image_size)):
                yield
        else:
            yield

    def header(self, file: File) -> Header:
        last: tuple[Path, Content] | None = getattr(self._last, "file", None)
        return super().header(last[1] if last and last[0] == file else file)

    def read(
        self,
        file: File | np.ndarray,
        *,
        image_size: Size | None = None,
        channels: int | None = None,
    ) -> DecodedImage:
        """As of `Decoder`; the pixels may be read-only."""
        if not isinstance(file, Path):
            return super().read(file, image_size=image_size, channels=channels)
        content = self.content(file)
        if content is None or self.decoded is None or image_size is None:
            return super().read(content or file, image_size=image_size, channels=channels)
        settings = content.suffix, self.max_pixels, self.deep_range, image_size, channels
        key = key_of(content.data, *settings)
        image = self.decoded.get(key)
        if image is None:
            image = super().read(content, image_size=image_size, channels=channels)
            height, width = image.size
            if image_size[0] * image_size[1] < height * width:  # else decoding costs little
                self.decoded.put(key, image)
        return image
