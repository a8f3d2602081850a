"""Run a network over many images."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kdtasks.core.backend import Tensor, tf
from kdtasks.learn.networks.multi_exit import MultiExitModel

# Images a pass at most, and pixels: large enough to be fast, small enough for a U-Net's features.
_BATCH, _PIXELS = 256, 2**21


def images_per_pass(image_shape: Sequence[int], *, most: int, pixels: int) -> int:
    """Return how many images [height, width, channels] are run at once, at least one.

    Args:
        most: at most so many.
        pixels: of all of them together, at most so many.
    """
    return max(1, min(most, pixels // (image_shape[0] * image_shape[1])))


class Predictor:
    """The compiled forward pass of a network; it follows the network's weights as they change."""

    def __init__(self, model: MultiExitModel, *, batch_size: int | None = None) -> None:
        """Arguments: batch_size is the number of images a pass; by default what memory holds."""
        self._batch_size = batch_size or images_per_pass(
            model.input_shape, most=_BATCH, pixels=_PIXELS
        )

        @tf.function(input_signature=[tf.TensorSpec((None, *model.input_shape), tf.uint8)])
        def forward(images: Tensor) -> list[Tensor]:
            return model.logits(tf.cast(images, tf.float32), training=False)

        self._forward: Callable[[Any], list[Tensor]] = forward

    def logits(self, images: Any) -> list[np.ndarray]:
        """Return the logits of every exit, each float32 [N, …, classes].

        Args:
            images: uint8 [N, height, width, channels], in memory or memory-mapped.
        """
        passes = list(self._passes(images))
        return [np.concatenate(exit_logits) for exit_logits in zip(*passes, strict=True)]

    def classes(self, images: Any) -> list[np.ndarray]:
        """Return the answers of every exit, each unsigned [N, …]; logits are not kept.

        Args:
            images: as for `logits`.
        """
        passes = [[_answers(logits) for logits in one] for one in self._passes(images)]
        return [np.concatenate(answers) for answers in zip(*passes, strict=True)]

    def _passes(self, images: Any) -> Iterator[list[np.ndarray]]:
        for start in range(0, len(images), self._batch_size):
            batch = images[start : start + self._batch_size]
            yield [logits.numpy() for logits in self._forward(batch)]


def _answers(logits: np.ndarray) -> np.ndarray:
    """The classes in as few bytes as they need: masks are large."""
    return logits.argmax(axis=-1).astype(np.min_scalar_type(logits.shape[-1] - 1))
