"""Two images in one, and the two labels of what comes out."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from pydantic import Field

from kdtasks.core.settings import Fraction, Positive
from kdtasks.learn.augmentations import Batch, Size
from kdtasks.learn.augmentations.colours import to_uint8

# The label of the larger part, that of the other one, and how much of the image the first is of.
TwoLabels = np.dtype([("label", np.int32), ("partner", np.int32), ("fraction", np.float32)])


def two_labels(labels: np.ndarray) -> np.ndarray:
    """Return integers [N] as `TwoLabels` [N] of images that nothing is mixed with."""
    both = np.empty(labels.shape, TwoLabels)
    both["label"], both["partner"], both["fraction"] = labels, labels, 1.0
    return both


def first_labels(labels: np.ndarray) -> np.ndarray:
    """Return the label that counts most, integers [N, …], of labels or `TwoLabels`."""
    return labels["label"] if labels.dtype == TwoLabels else labels


class Mixing(Batch):
    """Mixes an image with another of the same batch, in which no image is mixed twice.

    A classified image has both labels then, each as far as it is seen; a mask takes the other's
    labels where it takes its pixels. As in "function matching" (Beyer et al., arXiv 2106.05237),
    the teacher answers to the very image that the student sees.

    Attributes:
        mixes_masks: whether every pixel is of one image or the other, so that masks can be mixed.
    """

    mixes_masks: ClassVar[bool]

    probability: Fraction = Field(default=1.0, description="fraction of images that are mixed")
    alpha: Positive = Field(
        default=1.0,
        description="the fraction of the image that stays is drawn from Beta(alpha, alpha): 1 is "
        "uniform, less leaves most images nearly whole",
    )

    @abstractmethod
    def share(self, fractions: np.ndarray, size: Size, rng: Generator) -> np.ndarray:
        """Draw how much of each pixel stays, float [N, height, width], 0 … 1.

        Args:
            fractions: float [N], how much of each image is to stay.
            size: height and width of the images.
        """

    def mix(
        self, images: np.ndarray, labels: np.ndarray, rng: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the images mixed, and their labels: `TwoLabels` [N], or masks."""
        is_free = labels["fraction"] == 1.0 if labels.ndim == 1 else np.ones(len(labels), bool)
        rows = np.flatnonzero(is_free & (rng.random(len(images)) < self.probability))
        if len(rows) < 2:
            return images, labels
        rows = rng.permutation(rows)
        partners = np.roll(rows, 1)
        fractions = rng.beta(self.alpha, self.alpha, len(rows))
        share = self.share(fractions, (images.shape[1], images.shape[2]), rng).astype(np.float32)
        images, labels, sources = images.copy(), labels.copy(), (images, labels)
        own, other = (sources[0][some].astype(np.float32) for some in (rows, partners))
        images[rows] = to_uint8(other + share[..., np.newaxis] * (own - other))
        own, other = sources[1][rows], sources[1][partners]
        labels[rows] = (
            np.where(share == 1.0, own, other) if labels.ndim > 1 else _joined(own, other, share)
        )
        return images, labels


def _joined(own: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Join the labels of images that nothing was mixed with, the larger part's first."""
    fractions = share.mean(axis=(1, 2), dtype=np.float64)
    is_less = fractions < 0.5
    joined = np.empty(own.shape, TwoLabels)
    joined["label"] = np.where(is_less, other["label"], own["label"])
    joined["partner"] = np.where(is_less, own["label"], other["label"])
    joined["fraction"] = np.where(is_less, 1.0 - fractions, fractions)
    return joined
