"""How the training images are varied, one way a file."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from kdtasks.core.registry import Registry
from kdtasks.core.settings import Section
from kdtasks.learn.augmentations.motion import Motion


class Augmentation(Section):
    """A way to vary images; it extends one of the three kinds below.

    Attributes:
        order: place among those of its kind, the lowest first, however params list them.
    """

    order: ClassVar[int]

    name: str


class Geometric(Augmentation):
    """Moves each image, and its mask with it.

    All geometric augmentations draw, chosen or not, so that the choice of one leaves the motions
    of the others as they are; therefore all their settings need defaults.
    """

    @abstractmethod
    def draw(
        self, rng: np.random.Generator, count: int, size: tuple[int, int], motion: Motion
    ) -> Motion:
        """Draw numbers for `count` images and add to their motion.

        Args:
            size: height and width of the images.
            motion: what those before have drawn.
        """


class Photometric(Augmentation):
    """Changes the values of pixels; labels and masks stay."""

    @abstractmethod
    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the images of a batch changed, uint8 [N, height, width, channels] as they come."""


class Batch(Augmentation):
    """Mixes the images of a batch with each other; teachers are asked about the mixed ones."""

    @abstractmethod
    def mix(
        self, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the images of a batch mixed, and the one label that counts for each, or pixel.

        Args:
            images: uint8 [N, height, width, channels].
            labels: integers [N], or masks [N, height, width].
        """


augmentations = Registry("augmentation", __name__, Augmentation)
