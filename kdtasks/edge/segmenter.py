"""Load a bundle that tells the class of every pixel, and use it on images of any size."""

import colorsys
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kdtasks.core import JsonObject
from kdtasks.core.errors import DatasetError
from kdtasks.edge.decoder import Size
from kdtasks.edge.images import resize_mask
from kdtasks.edge.manifest import Manifest
from kdtasks.edge.predictor import Predictor, shape_error
from kdtasks.edge.segments import Logits, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

# Fraction of a tile that the next one repeats, where nothing else is said.
OVERLAP = 0.25

# Steps of hue by the golden ratio: however many there are, no two come close.
_HUE_STEP = (5**0.5 - 1) / 2


class Tiling:
    """Tiles along one side of an image, placed on a grid that starts at its first pixel.

    A side no longer than a tile has one tile, with the side in its middle. Else neighbours overlap
    by twice a margin, and the first and the last tile stand over the border by a margin or more;
    a tile's place does not depend on the length of the side. Beyond the border the image is
    mirrored (Ronneberger et al., arXiv 1505.04597), for a network knows least at the edge of what
    it sees.

    Attributes:
        starts: first pixel of every tile, in pixels of the image; negative before its border.
        step: pixels from one start to the next.
    """

    def __init__(self, length: int, tile: int, overlap: float) -> None:
        """Place the tiles.

        Args:
            length: of the side, in pixels, at least 1.
            tile: of a tile, in pixels.
            overlap: fraction of a tile that the next one repeats, 0…0.5; rounded to an even number
                of pixels.
        """
        # At most a quarter: no pixel lies in three tiles.
        margin = min(round(overlap * tile / 2), tile // 4)
        self.length, self._tile, self._margin = length, tile, margin
        self.step = tile - 2 * margin
        if length <= tile:
            self.starts = [-((tile - length) // 2)]
        else:
            self.starts = [first - margin for first in range(0, length, self.step)]
        before, after = -self.starts[0], max(0, self.starts[-1] + tile - length)
        self._before = before
        self._mirrored = np.pad(np.arange(length), (before, after), mode="reflect")

    def pixels(self, index: int) -> npt.NDArray[np.intp]:
        """Give the pixels of the image that tile `index` shows, int [tile]."""
        first = self.starts[index] + self._before
        return self._mirrored[first : first + self._tile]

    def inside(self, index: int) -> tuple[int, int]:
        """Give the range of pixels of tile `index` that lies within the image."""
        start = self.starts[index]
        return max(0, start), min(self.length, start + self._tile)

    def finished(self, index: int) -> tuple[int, int]:
        """Give the range of pixels that are answered once tile `index` is, and not before."""
        is_last = index == len(self.starts) - 1
        return max(0, self.starts[index]), self.length if is_last else self.starts[index + 1]

    def window(self, index: int) -> Logits:
        """Give the weights of a tile's pixels, float32 [tile].

        They are 1 but where neighbours overlap, there the halves of a squared sine: the weights of
        all tiles add up to 1 at every pixel of the image.
        """
        weights = np.ones(self._tile, np.float32)
        width = 2 * self._margin
        rising = np.sin(np.pi * (np.arange(width) + 0.5) / (2 * max(1, width))) ** 2
        if index > 0:
            weights[:width] = rising
        if index < len(self.starts) - 1:
            weights[self._tile - width :] = rising[::-1]
        return weights


class MaskPrediction(NamedTuple):
    """The class of every pixel of one image.

    Attributes:
        mask: index of the class, uint8 [height, width].
        confidence: mean over the pixels of the class's probability, after temperature scaling.
        exit_index: K−1, for the whole network answers.
        manifest: of the model.
    """

    mask: Pixels
    confidence: float
    exit_index: int
    manifest: Manifest

    @property
    def pixels(self) -> npt.NDArray[np.int64]:
        """How many pixels each class has, [classes]."""
        return np.bincount(self.mask.reshape(-1), minlength=len(self.manifest.class_names))

    @property
    def image(self) -> "Image":
        """The mask as an image of indices, with the classes' colours as its palette."""
        import PIL.Image

        image = PIL.Image.fromarray(self.mask)
        image.putpalette(class_colours(self.manifest).tobytes())
        return image

    def to_png(self) -> bytes:
        """Give `image` as a PNG file's content."""
        file = io.BytesIO()
        self.image.save(file, "PNG")
        return file.getvalue()

    def to_json(self) -> JsonObject:
        """Give its size [height, width] and what each class has of it; not the mask itself."""
        counts = zip(self.manifest.class_names, self.pixels.tolist(), strict=True)
        return {
            "size": list(self.mask.shape),
            "classes": {
                name: {"pixels": count, "fraction": count / self.mask.size}
                for name, count in counts
            },
            "confidence": self.confidence,
            "exit_index": self.exit_index,
        }

    def in_size(self, size: tuple[int, int]) -> Self:
        """Resize the mask to (height, width) by the nearest pixel."""
        return self._replace(mask=resize_mask(self.mask, size))


class Segmenter(Predictor):
    """A bundle, ready to label pixels; its last exit answers."""

    task: ClassVar[str] = "segmentation"
    per_pixel: ClassVar[bool] = True

    @property
    def image_size(self) -> Size | None:
        """That of training images, where these were resized."""
        size = (self.manifest.parameters.get("data") or {}).get("image_size")
        return tuple(size) if size else None

    def logits(self, images: Pixels) -> Logits:
        """Run the network on images of its own size.

        Args:
            images: uint8 [N, height, width, channels], raw pixels 0…255.

        Returns:
            float32 [N, height, width, classes].

        Raises:
            DatasetError: the images' shape or dtype is not the model's.
        """
        self._check(images)
        return self.segments.logits_of(images)[:, -1]

    def classes(self, images: Pixels) -> Pixels:
        """Name the class of every pixel, uint8 [N, height, width]; arguments as for `logits`."""
        self._check(images)
        every = np.empty(images.shape[:3], np.uint8)
        for row, image in enumerate(images):
            every[row] = self.segments.logits(image)[-1].argmax(axis=-1)
        return every

    def predict(self, image: Pixels, overlap: float = OVERLAP) -> MaskPrediction:
        """Name the class of every pixel of an image of any size, tile by tile.

        Where tiles overlap their logits fade into each other; mirrored pixels stand beyond the
        border. An image of the model's own size is one tile. No more logits are kept than those
        of one row of tiles.

        Args:
            image: uint8 [height, width, channels], raw pixels 0…255, in memory or mapped.
            overlap: fraction of a tile that the next one repeats, 0…0.5. More is slower: tiles
                grow by 1 / (1 − overlap)².

        Raises:
            DatasetError: the image has another number of channels or another dtype, no pixels,
                or the overlap is out of range.
        """
        tile_height, tile_width, channels = self.segments.input_shape
        fits = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == channels
        if not fits or not image.size:
            raise shape_error(image, ("height", "width", channels), "convert it")
        if not 0 <= overlap <= 0.5:
            raise DatasetError(f"the overlap is {overlap}; a fraction of 0…0.5 was expected")
        height, width = image.shape[:2]
        rows = Tiling(height, tile_height, overlap)
        columns = Tiling(width, tile_width, overlap)
        mask = np.empty((height, width), np.uint8)
        temperature, confidence = self.manifest.temperatures[-1], 0.0
        for first, blended in self._bands(image, rows, columns):
            classes = blended.argmax(axis=-1)
            mask[first : first + len(blended)] = classes
            confidence += float(_probabilities(blended, classes, temperature).sum(dtype=np.float64))
        return MaskPrediction(mask, confidence / mask.size, self.segments.count - 1, self.manifest)

    def _bands(self, image: Pixels, rows: Tiling, columns: Tiling) -> Iterator[tuple[int, Logits]]:
        """Yield the blended logits [rows, width, classes] of row after row, and their first row."""
        if image.shape == self.segments.input_shape:
            yield 0, self.segments.logits(image)[-1]
            return
        tile_height, tile_width, num_classes = self.segments.logits_shape
        # Pixels and classes in one axis: several times faster than many short rows of classes.
        band = np.zeros((tile_height, columns.length * num_classes), np.float32)
        windows = [
            np.repeat(columns.window(column), num_classes) for column in range(len(columns.starts))
        ]
        for row, start in enumerate(rows.starts):
            strip = image[rows.pixels(row)]
            vertical = rows.window(row)[:, None]
            for column, left in enumerate(columns.starts):
                tile = strip.take(columns.pixels(column), axis=1)
                logits = self.segments.logits(tile)[-1]
                weighted = logits.reshape(tile_height, tile_width * num_classes) * windows[column]
                weighted *= vertical
                first, end = (num_classes * pixel for pixel in columns.inside(column))
                here = slice(first - num_classes * left, end - num_classes * left)
                band[:, first:end] += weighted[:, here]
            first, end = rows.finished(row)
            finished = band[first - start : end - start]
            yield first, finished.reshape(len(finished), columns.length, num_classes)
            # What the next row of tiles shares moves to the top.
            shared = tile_height - rows.step
            band[:shared] = band[rows.step :].copy()
            band[shared:] = 0

    def _check(self, images: Pixels) -> None:
        shape = self.segments.input_shape
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
            raise shape_error(images, ("N", *shape), "use predict for images of another size")


def _probabilities(logits: Logits, largest: npt.NDArray[np.int64], temperature: float) -> Logits:
    """Give the softened probability of the largest logit, float32 [rows, width].

    As `kdtasks.edge.scores.max_probability` but in float32, class by class: several times faster.

    Args:
        logits: [rows, width, classes].
        largest: [rows, width], the index of the largest.
        temperature: > 0.
    """
    highest = np.take_along_axis(logits, largest[..., None], axis=-1)[..., 0]
    total = np.zeros(highest.shape, np.float32)
    for index in range(logits.shape[-1]):
        total += np.exp((logits[..., index] - highest) / np.float32(temperature))
    return np.reciprocal(total)


def class_colours(manifest: Manifest) -> Pixels:
    """Give RGB colours, uint8 [classes, 3].

    Those of the masks that the model was trained on where these had colours, else fixed ones.
    """
    named = (manifest.parameters.get("data") or {}).get("source") or {}
    texts = [str((named.get("classes") or {}).get(name)) for name in manifest.class_names]
    if all(re.fullmatch(r"#[0-9A-Fa-f]{6}", text) for text in texts):
        return np.array([list(bytes.fromhex(text[1:])) for text in texts], np.uint8)
    return spaced_colours(len(texts))


def spaced_colours(count: int) -> Pixels:
    """Give `count` colours, uint8 [count, 3]; the first ones do not depend on how many."""
    colours = [
        # Every eight are darker, since hues come close to each other once there are many.
        colorsys.hsv_to_rgb(index * _HUE_STEP % 1.0, 0.75, (0.95, 0.65, 0.4)[index // 8 % 3])
        for index in range(count)
    ]
    return np.rint(255 * np.array(colours).reshape(count, 3)).astype(np.uint8)
