"""How the training images are varied, one way a file."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from kdtasks.core.registry import Registry
from kdtasks.core.settings import Section
from kdtasks.learn.augmentations.motion import Motion, Size


class Augmentation(Section):
    """A way to vary images; it extends one of the kinds below.

    Attributes:
        order: its place, the lowest first, however params list them; geometric ones come before
            all others, and those that mix should come last.
    """

    order: ClassVar[int]

    name: str


class Geometric(Augmentation):
    """Moves each image, and its mask with it.

    All geometric augmentations draw, chosen or not, so that the choice of one leaves the motions
    of the others as they are; therefore all their settings need defaults.
    """

    @abstractmethod
    def draw(self, rng: Generator, count: int, size: Size, motion: Motion) -> Motion:
        """Draw numbers for `count` images and add to their motion.

        Args:
            size: height and width of the images.
            motion: what those before have drawn.
        """


class Batch(Augmentation):
    """Mixes the images of a batch with each other; teachers are asked about the mixed ones."""

    @abstractmethod
    def mix(
        self, images: np.ndarray, labels: np.ndarray, rng: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the images mixed, and the one label that counts for each, or for each pixel.

        Args:
            images: uint8 [N, height, width, channels].
            labels: integers [N], or masks [N, height, width].
        """


class Photometric(Batch):
    """Changes the values of pixels, image by image; labels and masks stay."""

    @abstractmethod
    def apply(self, images: np.ndarray, rng: Generator) -> np.ndarray:
        """Return the images changed, uint8 [N, height, width, channels] as they come."""

    def mix(
        self, images: np.ndarray, labels: np.ndarray, rng: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the images changed, and their labels."""
        return self.apply(images, rng), labels


augmentations = Registry("augmentation", __name__, Augmentation)
