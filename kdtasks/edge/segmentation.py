"""Load a bundle that tells the class of every pixel, and use it on pictures of any size."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kdtasks.edge.bundle import OpenBundle, check_bundle
from kdtasks.edge.tiling import Tiling
from kdtasks.errors import DatasetError

OVERLAP = 0.25
"""Share of a tile that the next one repeats, where nothing else is said."""


class Segmenter(OpenBundle):
    """A bundle, ready to label pixels; one object serves one thread at a time.

    Attributes:
        manifest: what the bundle says of itself.
        segments: its model.
    """

    def __init__(self, bundle: Path | str, threads: int = 1) -> None:
        """Open a bundle; its last exit answers.

        Args:
            bundle: a folder, a `.kdz` file or a bare `.tflite`.
            threads: threads of the LiteRT interpreter.

        Raises:
            BundleError: the bundle is incomplete, damaged, contradicts itself, or classifies
                whole pictures.
        """
        super().__init__(bundle, threads)
        check_bundle(self.segments, self.manifest, task="segmentation")

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the network on pictures of its own size.

        Args:
            images: uint8 [N, height, width, channels], raw pixels 0…255.

        Returns:
            float32 [N, height, width, classes].

        Raises:
            DatasetError: the pictures' shape or dtype is not the model's.
        """
        self._check(images)
        every = np.empty((len(images), *self.segments.logits_shape), np.float32)
        for row, image in enumerate(images):
            every[row] = self._run(image)
        return every

    def classes(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Name the class of every pixel, uint8 [N, height, width]; arguments as for `logits`."""
        self._check(images)
        every = np.empty(images.shape[:3], np.uint8)
        for row, image in enumerate(images):
            every[row] = self._run(image).argmax(axis=-1)
        return every

    def predict(
        self, picture: npt.NDArray[np.uint8], overlap: float = OVERLAP
    ) -> npt.NDArray[np.uint8]:
        """Name the class of every pixel of a picture of any size, tile by tile.

        Where tiles overlap their logits fade into each other; mirrored pixels stand beyond the
        border. A picture of the model's own size is one tile. No more logits are kept than those
        of one row of tiles.

        Args:
            picture: uint8 [height, width, channels], raw pixels 0…255, in memory or mapped.
            overlap: share of a tile that the next one repeats, 0…0.5. More is slower: tiles
                grow by 1 / (1 − overlap)².

        Returns:
            index of the class, uint8 [height, width].

        Raises:
            DatasetError: the picture has another number of channels or another dtype, no pixels,
                or the overlap is out of range.
        """
        tile_height, tile_width, channels = self.segments.input_shape
        if (
            picture.dtype != np.uint8
            or picture.ndim != 3
            or picture.shape[2] != channels
            or not picture.size
        ):
            raise DatasetError(
                f"the picture is {picture.dtype} {list(picture.shape)}, the model takes uint8 "
                f"[height, width, {channels}] with raw pixels 0…255; convert it"
            )
        if not 0 <= overlap <= 0.5:
            raise DatasetError(f"the overlap is {overlap}; a share of 0…0.5 was expected")
        height, width = picture.shape[:2]
        rows = Tiling(height, tile_height, overlap)
        columns = Tiling(width, tile_width, overlap)
        classes = np.empty((height, width), np.uint8)
        for first, blended in self._bands(picture, rows, columns):
            classes[first : first + len(blended)] = blended.argmax(axis=-1)
        return classes

    def _bands(
        self, picture: npt.NDArray[np.uint8], rows: Tiling, columns: Tiling
    ) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """Yield the blended logits [rows, width, classes] of row after row, and their first row."""
        tile_height, tile_width, num_classes = self.segments.logits_shape
        # Pixels and classes in one axis: several times faster than many short rows of classes.
        band = np.zeros((tile_height, columns.length * num_classes), np.float32)
        windows = [
            np.repeat(columns.window(column), num_classes) for column in range(len(columns.starts))
        ]
        for row, start in enumerate(rows.starts):
            strip = picture[rows.pixels(row)]
            vertical = rows.window(row)[:, None]
            for column, left in enumerate(columns.starts):
                logits = self._run(strip.take(columns.pixels(column), axis=1))
                weighted = logits.reshape(tile_height, tile_width * num_classes) * windows[column]
                weighted *= vertical
                first, end = (num_classes * pixel for pixel in columns.inside(column))
                here = slice(first - num_classes * left, end - num_classes * left)
                band[:, first:end] += weighted[:, here]
            first, end = rows.settled(row)
            settled = band[first - start : end - start]
            yield first, settled.reshape(len(settled), columns.length, num_classes)
            # What the next row of tiles shares moves to the top.
            shared = tile_height - rows.step
            band[:shared] = band[rows.step :].copy()
            band[shared:] = 0

    def _run(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        *_, logits = self.segments.steps(image)
        return logits

    def _check(self, images: npt.NDArray[np.uint8]) -> None:
        shape = self.segments.input_shape
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
            raise DatasetError(
                f"the pictures are {images.dtype} {list(images.shape)}, the model takes uint8 "
                f"{['N', *shape]} with raw pixels 0…255; use predict for pictures of another size"
            )
