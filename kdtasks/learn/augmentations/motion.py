"""One affine motion an image, of parameters that augmentations draw one after another."""

from dataclasses import dataclass

import numpy as np

Size = tuple[int, int]  # height and width of the images


@dataclass(frozen=True)
class Motion:
    """How each of N images moves about its centre; every attribute is float [N].

    Attributes:
        angle: radians that it turns by.
        zoom: factor that it grows by.
        shift_x, shift_y: pixels that it is shifted by.
        mirror: -1.0 where left and right change places, else 1.0.
    """

    angle: np.ndarray
    zoom: np.ndarray
    shift_x: np.ndarray
    shift_y: np.ndarray
    mirror: np.ndarray

    @classmethod
    def still(cls, count: int) -> "Motion":
        """No motion at all."""
        zeros, ones = np.zeros(count), np.ones(count)
        return cls(angle=zeros, zoom=ones, shift_x=zeros, shift_y=zeros, mirror=ones)

    def transforms(self, size: Size) -> np.ndarray:
        """Return the maps from output to input coordinates, float32 [N, 8]."""
        height, width = size
        cosine, sine = np.cos(self.angle) / self.zoom, np.sin(self.angle) / self.zoom
        centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
        a, b, d, e = cosine * self.mirror, -sine, sine * self.mirror, cosine
        c = centre_x - a * centre_x - b * centre_y + self.shift_x
        f = centre_y - d * centre_x - e * centre_y + self.shift_y
        zero = np.zeros(len(a))
        return np.stack([a, b, c, d, e, f, zero, zero], axis=1).astype(np.float32)
