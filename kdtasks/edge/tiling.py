"""Lay tiles of one size along a side of any length, and fade each into the next."""

import numpy as np
import numpy.typing as npt


class Tiling:
    """Tiles along one side of a picture, placed on a grid that starts at its first pixel.

    A side no longer than a tile has one tile, with the side in its middle. Else neighbours overlap
    by twice a margin, and the first and the last tile stand over the border by a margin or more;
    a tile's place does not depend on the length of the side. Beyond the border the picture is
    mirrored (Ronneberger et al., arXiv 1505.04597), for a network knows least at the edge of what
    it sees.

    Attributes:
        starts: first pixel of every tile, in pixels of the picture; negative before its border.
        step: pixels from one start to the next.
    """

    def __init__(self, length: int, tile: int, overlap: float) -> None:
        """Place the tiles.

        Args:
            length: of the side, in pixels, at least 1.
            tile: of a tile, in pixels.
            overlap: share of a tile that the next one repeats, 0…0.5; rounded to an even number
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
        """Give the pixels of the picture that tile `index` shows, int [tile]."""
        first = self.starts[index] + self._before
        return self._mirrored[first : first + self._tile]

    def inside(self, index: int) -> tuple[int, int]:
        """Give the range of pixels of tile `index` that lies within the picture."""
        start = self.starts[index]
        return max(0, start), min(self.length, start + self._tile)

    def settled(self, index: int) -> tuple[int, int]:
        """Give the range of pixels that are answered once tile `index` is, and not before."""
        is_last = index == len(self.starts) - 1
        return max(0, self.starts[index]), self.length if is_last else self.starts[index + 1]

    def window(self, index: int) -> npt.NDArray[np.float32]:
        """Give the weights of a tile's pixels, float32 [tile].

        They are 1 but where neighbours overlap, there the halves of a squared sine: the weights of
        all tiles add up to 1 at every pixel of the picture.
        """
        weights = np.ones(self._tile, np.float32)
        width = 2 * self._margin
        rising = np.sin(np.pi * (np.arange(width) + 0.5) / (2 * max(1, width))) ** 2
        if index > 0:
            weights[:width] = rising
        if index < len(self.starts) - 1:
            weights[self._tile - width :] = rising[::-1]
        return weights
