"""Rank filters: how much a network would miss each of its channels."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kdtasks.compress.pruning.channels import Channels
from kdtasks.core.backend import tf
from kdtasks.core.errors import CompressionError
from kdtasks.learn.losses.labels.cross_entropy import CrossEntropy
from kdtasks.learn.networks.inference import images_per_pass
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.training.examples import Block, Examples

# Batches of training images that Taylor's criterion looks at, and images and pixels in each at
# most: all features are kept for the gradient.
_BATCHES, _BATCH, _PIXELS = 16, 64, 2**20


def importance(
    model: MultiExitModel,
    channels: Channels,
    *,
    rank: str,
    examples: Examples,
    ignore_label: int | None = None,
) -> dict[int, float]:
    """Score every channel that may be removed; 1 is the mean of its layer.

    Relative scores give tied layers an equal say, and let layers be compared.

    Args:
        rank: `l1`: norm of a filter's weights (Li et al., arXiv 1608.08710);
            `batch_norm_scale`: size of the scale after it (Liu et al., arXiv 1708.06519), of
            layers that have one; `taylor`: first-order change of the labels' loss without the
            filter, squared (Molchanov et al., arXiv 1906.10771).
        examples: training images for `taylor`.

    Raises:
        CompressionError: no layer has what the criterion looks at.
    """
    producers = {name for group in channels.groups() for name in group}
    if rank == "taylor":
        by_layer = _taylor(model, producers, examples, ignore_label)
    elif rank == "batch_norm_scale":
        by_layer = _scales(model.network, producers)
        if not by_layer:
            raise CompressionError(
                f"none of the layers {', '.join(sorted(producers))} is followed by batch "
                "normalisation; use compress.passes.filters.rank l1 or taylor"
            )
    else:
        by_layer = {name: _norms(model.network.get_layer(name)) for name in producers}
    totals: dict[int, list[float]] = {}
    for name in channels.producers:
        if name not in by_layer:
            continue
        # The mean may be 0, of a layer that does nothing.
        mean = max(float(by_layer[name].mean()), np.finfo(np.float32).tiny)
        for number, score in zip(channels.produced_by(name).tolist(), by_layer[name], strict=True):
            totals.setdefault(number, []).append(float(score / mean))
    return {number: float(np.mean(scores)) for number, scores in totals.items()}


def first_batches(examples: Examples, count: int, *, images: int, pixels: int) -> Iterator[Block]:
    """Yield at most `count` batches of the first epoch, in the order of the training images.

    Args:
        examples: training images.
        count: of batches, at most.
        images, pixels: in a batch, at most.
    """
    most = images_per_pass(examples.sample.images.shape, most=images, pixels=pixels)
    size = min(most, examples.num_examples)
    order = np.arange(examples.num_examples)[: count * size]
    return examples.blocks(epoch=1, order=order, batch_size=size, steps_per_block=1)


def filters_last(layer: Any, kernel: Any) -> Any:
    """A kernel with its filters along the last axis, in numpy or TensorFlow."""
    if type(layer).__name__ != "Conv2DTranspose":
        return kernel
    transpose = np.transpose if isinstance(kernel, np.ndarray) else tf.transpose
    return transpose(kernel, (0, 1, 3, 2))


def _kernel(layer: Any) -> Any:
    """The variable that holds a layer's filters."""
    return layer.pointwise_kernel if hasattr(layer, "pointwise_kernel") else layer.kernel


def _norms(layer: Any) -> np.ndarray:
    kernel = filters_last(layer, np.abs(_kernel(layer).numpy()))
    return kernel.reshape(-1, kernel.shape[-1]).sum(axis=0)


def _scales(network: Any, producers: set[str]) -> dict[str, np.ndarray]:
    before = {
        layer.get_input_at(0).node.layer.name: layer
        for layer in network.layers
        if type(layer).__name__ == "BatchNormalization" and layer.scale
    }
    return {name: np.abs(before[name].gamma.numpy()) for name in producers & set(before)}


def _taylor(
    model: MultiExitModel, producers: set[str], examples: Examples, ignore_label: int | None
) -> dict[str, np.ndarray]:
    layers = [model.network.get_layer(name) for name in sorted(producers)]
    kernels = [_kernel(layer) for layer in layers]
    loss = CrossEntropy()

    @tf.function(autograph=False, reduce_retracing=True)
    def squares(images: Any, labels: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            exits = model.logits(tf.cast(images, tf.float32), training=False)
            losses = [loss(logits, labels, ignore_label=ignore_label) for logits in exits]
            total = tf.add_n(losses)
        gradients = tape.gradient(total, kernels)
        products = (gradient * kernel for gradient, kernel in zip(gradients, kernels, strict=True))
        by_filter = (filters_last(*pair) for pair in zip(layers, products, strict=True))
        sums = [tf.reduce_sum(tensor, axis=tf.range(tf.rank(tensor) - 1)) for tensor in by_filter]
        return [tf.square(change) for change in sums]

    totals: list[np.ndarray] = [np.zeros(1) for _ in layers]
    for block in first_batches(examples, _BATCHES, images=_BATCH, pixels=_PIXELS):
        found = squares(block.images[0], block.labels[0].astype(np.int32))
        totals = [total + change.numpy() for total, change in zip(totals, found, strict=True)]
    return {layer.name: total for layer, total in zip(layers, totals, strict=True)}
