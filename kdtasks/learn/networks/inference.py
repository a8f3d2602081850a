"""Run a network over many images."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kdtasks.core.backend import Tensor, has_gpu, tf
from kdtasks.learn.networks.multi_exit import MultiExitModel

# Images a pass at most, and pixels: large enough to be fast, small enough for a U-Net's features;
# a GPU is idle at the end of every pass, so it is given more.
_BATCH, _PIXELS, _GPU_PASSES = 256, 2**21, 8

# Logits of all exits that are held at a time.
_PART_BYTES = 128_000_000


def images_per_pass(image_shape: Sequence[int], *, most: int, pixels: int) -> int:
    """Return how many images [height, width, channels] are run at once, at least one.

    Args:
        most: at most so many.
        pixels: of all of them together, at most so many.
    """
    return max(1, min(most, pixels // (image_shape[0] * image_shape[1])))


class ForwardPass:
    """The compiled forward pass of a network; it follows the network's weights as they change."""

    def __init__(self, model: MultiExitModel, *, batch_size: int | None = None) -> None:
        """Args: batch_size is the number of images a pass; by default what memory holds."""
        passes = _GPU_PASSES if has_gpu() else 1
        most = images_per_pass(model.input_shape, most=_BATCH * passes, pixels=_PIXELS * passes)
        self._size = batch_size or most
        self._row_bytes = 4 * sum(math.prod(output.shape[1:]) for output in model.network.outputs)

        @tf.function(
            autograph=False, input_signature=[tf.TensorSpec((None, *model.input_shape), tf.uint8)]
        )
        def forward(images: Tensor) -> list[Tensor]:
            return model.logits(tf.cast(images, tf.float32), training=False)

        self._forward: Callable[[Any], list[Tensor]] = forward

    def logits(self, images: Any) -> list[np.ndarray]:
        """Return the logits of every exit, each float32 [N, …, classes].

        Args:
            images: uint8 [N, height, width, channels], in memory or memory-mapped.
        """
        return self._run(images, lambda logits: logits)

    def parts(self, count: int) -> Iterator[slice]:
        """Cut `count` images into parts of whole passes, whose logits are not too much to hold."""
        size = max(1, _PART_BYTES // (self._row_bytes * self._size)) * self._size
        return (slice(start, start + size) for start in range(0, count, size))

    def classes(self, images: Any) -> list[np.ndarray]:
        """Return the answers of every exit, each unsigned [N, …]; logits are not kept.

        Args:
            images: as for `logits`.
        """
        return self._run(images, _answers)

    def _run(self, images: Any, keep: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
        passes = [
            [keep(logits.numpy()) for logits in self._forward(images[start : start + self._size])]
            for start in range(0, len(images), self._size)
        ]
        return [np.concatenate(parts) for parts in zip(*passes, strict=True)]


def _answers(logits: np.ndarray) -> np.ndarray:
    """The classes in as few bytes as they need: masks are large."""
    return logits.argmax(axis=-1).astype(np.min_scalar_type(logits.shape[-1] - 1))
