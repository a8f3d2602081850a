"""How the training images are varied, one way a file."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.random import Generator

from kdtasks.core.registry import Registry
from kdtasks.core.settings import Section

Size = tuple[int, int]  # height and width of the images


@dataclass(frozen=True)
class Affine:
    """How each of N images moves about its centre; every attribute is float [N].

    Attributes:
        angle: radians that it turns by.
        zoom: factor that it grows by.
        shift_x, shift_y: pixels that it is shifted by.
        mirror: -1.0 where left and right change places, else 1.0.
        flip: -1.0 where top and bottom change places, else 1.0.
        stretch: factor that its width grows by, and its height shrinks by.
    """

    angle: np.ndarray
    zoom: np.ndarray
    shift_x: np.ndarray
    shift_y: np.ndarray
    mirror: np.ndarray
    flip: np.ndarray
    stretch: np.ndarray

    @classmethod
    def identity(cls, count: int) -> "Affine":
        """No motion at all."""
        zeros, ones = np.zeros(count), np.ones(count)
        return cls(zeros, ones, zeros, zeros, mirror=ones, flip=ones, stretch=ones)

    def transforms(self, size: Size) -> np.ndarray:
        """Return the maps from output to input coordinates, float32 [N, 8]."""
        height, width = size
        cosine, sine = np.cos(self.angle) / self.zoom, np.sin(self.angle) / self.zoom
        centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
        across, down = self.mirror / self.stretch, self.flip * self.stretch
        a, b, d, e = cosine * across, -sine * down, sine * across, cosine * down
        c = centre_x - a * centre_x - b * centre_y + self.shift_x
        f = centre_y - d * centre_x - e * centre_y + self.shift_y
        zero = np.zeros(len(a))
        return np.stack([a, b, c, d, e, f, zero, zero], axis=1).astype(np.float32)


class Augmentation(Section):
    """A way to vary images; it extends one of the kinds below.

    Attributes:
        order: its place, the lowest first, however params list them; geometric ones come before
            all others, and those that mix should come last.
    """

    order: ClassVar[int]

    name: str

    @property
    def keeps_answer(self) -> bool:
        """Whether a teacher's answer to an image holds for what comes of it, at these settings.

        Where it does, answers from a file teach, which are to images as they are.
        """
        return True

    def at_scale(self, factor: float) -> Self:
        """Return the same for images that are so many times as large; pixels count in no setting.

        An augmentation with a setting in pixels overrides it.
        """
        return self


class Geometric(Augmentation):
    """Moves each image, and its mask with it.

    All geometric augmentations draw, chosen or not, so that the choice of one leaves the motions
    of the others as they are; therefore all their settings need defaults.
    """

    @abstractmethod
    def draw(self, rng: Generator, count: int, size: Size, affine: Affine) -> Affine:
        """Draw numbers for `count` images and add to their motion.

        Args:
            size: height and width of the images.
            affine: what those before have drawn.
        """


class Batch(Augmentation):
    """Mixes the images of a batch with each other; teachers are asked about the mixed ones."""

    @property
    def keeps_answer(self) -> bool:
        """No: it shows several images."""
        return False

    @abstractmethod
    def mix(
        self, images: np.ndarray, labels: np.ndarray, rng: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the images mixed, and their labels as they count then.

        Args:
            images: uint8 [N, height, width, channels].
            labels: integers [N], or masks [N, height, width]; where any augmentation gives an
                image two labels, records `TwoLabels` [N] of `mixing.py`.
        """


class Photometric(Batch):
    """Changes the values of pixels, image by image; labels and masks stay."""

    @property
    def keeps_answer(self) -> bool:
        """As of every augmentation that stays within an image."""
        return True

    @abstractmethod
    def apply(self, images: np.ndarray, rng: Generator) -> np.ndarray:
        """Return the images changed, uint8 [N, height, width, channels] as they come."""

    def mix(
        self, images: np.ndarray, labels: np.ndarray, rng: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the images changed, and their labels."""
        return self.apply(images, rng), labels


augmentations = Registry("augmentation", __name__, Augmentation)
