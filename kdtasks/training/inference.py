"""Run a network over many pictures."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kdtasks.backend import Tensor, tf
from kdtasks.models.multi_exit import MultiExitModel

# Pictures a pass; large enough to be fast, small enough for the features of a U-Net.
_BATCH = 256


class Predictor:
    """The compiled forward pass of a network; it follows the network's weights as they change."""

    def __init__(self, model: MultiExitModel, *, batch_size: int = _BATCH) -> None:
        """Arguments: batch_size is the number of pictures a pass."""
        self._batch_size = batch_size

        @tf.function(input_signature=[tf.TensorSpec((None, *model.input_shape), tf.uint8)])
        def forward(images: Tensor) -> list[Tensor]:
            return model.logits(tf.cast(images, tf.float32), training=False)

        self._forward: Callable[[Any], list[Tensor]] = forward

    def logits(self, images: Any) -> list[np.ndarray]:
        """Return the logits of every exit, each float32 [N, …, classes].

        Arguments:
            images: uint8 [N, height, width, channels], in memory or memory-mapped.
        """
        passes = [
            [logits.numpy() for logits in self._forward(images[start : start + self._batch_size])]
            for start in range(0, len(images), self._batch_size)
        ]
        return [np.concatenate(exit_logits) for exit_logits in zip(*passes, strict=True)]
