"""Measure the running statistics of batch normalisation anew, once the weights are final.

After a short fine-tuning they still carry those of the network before the pass, which costs far
more accuracy than the pass itself.
"""

from typing import Any

import numpy as np

from kdtasks.backend import tf
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.training.examples import Examples
from kdtasks.training.inference import pictures_a_pass

# Batches that the statistics are averaged over where nothing else is said, and pictures and pixels
# in each at most.
_BATCHES, _BATCH, _PIXELS = 12, 256, 2**22


def recalibrate(model: MultiExitModel, examples: Examples, *, batches: int = _BATCHES) -> None:
    """Replace every running mean and variance by its average over training pictures, in place.

    Arguments:
        examples: training pictures; the first of the first epoch are taken.
        batches: number of batches that the statistics are averaged over, at most.
    """
    layers = [
        layer for layer in model.network.layers if type(layer).__name__ == "BatchNormalization"
    ]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for number, images in enumerate(_batches(examples, batches)):
        for layer in layers:
            # With this momentum the running value is the mean of all batches so far.
            layer.momentum = number / (number + 1)
        model.logits(tf.cast(images, tf.float32), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _batches(examples: Examples, count: int) -> Any:
    most = pictures_a_pass(examples.layout.image, pictures=_BATCH, pixels=_PIXELS)
    size = min(most, examples.num_examples)
    order = np.arange(examples.num_examples)[: count * size]
    blocks = examples.blocks(epoch=1, order=order, batch_size=size, steps_per_block=1)
    return (block.images[0] for block in blocks)
