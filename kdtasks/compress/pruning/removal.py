"""Take channels out of a network: mask them in place, or rebuild the network without them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from kdtasks.compress.pruning.channels import Channels
from kdtasks.compress.pruning.importance import first_batches
from kdtasks.core.backend import keras, tf
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.training.examples import Examples

# Batches that the statistics are averaged over where nothing else is said, and images and pixels
# in each at most.
_BATCHES, _BATCH, _PIXELS = 12, 256, 2**22


def remove_channels(
    model: MultiExitModel, channels: Channels, removed: Iterable[int]
) -> MultiExitModel:
    """Build the network without some channels; what stays keeps its weights and its names.

    Where the removed channels were masked the outputs stay what they were.
    """
    indices = np.array(sorted(removed), dtype=int)

    def shrink(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in channels.producers:
            kept = int((~np.isin(channels.produced_by(layer.name), indices)).sum())
            config["units" if "units" in config else "filters"] = kept
        if "target_shape" in config:
            kept = int((~np.isin(channels.produced_by(layer.name), indices)).sum())
            config["target_shape"] = (*config["target_shape"][:-1], kept)
        return type(layer).from_config(config)

    network = keras.models.clone_model(model.network, clone_function=shrink)
    for layer in model.network.layers:
        if layer.get_weights():
            keep_in = ~np.isin(channels.consumed_by(layer.name), indices)
            keep_out = ~np.isin(channels.produced_by(layer.name), indices)
            weights = [
                weight[_where(layer, variable, keep_in, keep_out)]
                for variable, weight in zip(layer.weights, layer.get_weights(), strict=True)
            ]
            network.get_layer(layer.name).set_weights(weights)
    return MultiExitModel(network=network, taps=model.taps)


def mask_channels(network: Any, channels: Channels, removed: Iterable[int]) -> None:
    """Make channels zero wherever they pass, in place, by zeroing what makes and moves them.

    The network then computes what it would without them, at its old size.
    """
    indices = np.array(sorted(removed), dtype=int)
    for layer in network.layers:
        if not layer.weights:
            continue
        inside = np.ones(len(channels.consumed_by(layer.name)), bool)
        masked = np.isin(channels.produced_by(layer.name), indices)
        for variable in layer.weights:
            if _is_depthwise(variable) and type(layer).__name__ == "SeparableConv2D":
                continue  # it moves the channels taken; the pointwise kernel makes the others
            if not variable.name.endswith("variance:0"):
                values = variable.numpy()
                values[_where(layer, variable, inside, masked)] = 0
                variable.assign(values)


def _is_depthwise(variable: Any) -> bool:
    return "depthwise" in variable.name.rpartition("/")[2]


def _where(layer: Any, variable: Any, inside: np.ndarray, outside: np.ndarray) -> Any:
    """Index of the weights between some channels taken and some channels made by a layer."""
    kind, rank = type(layer).__name__, len(variable.shape)
    if rank == 1:
        return outside
    if _is_depthwise(variable):  # one filter a channel taken
        chosen = outside if kind == "DepthwiseConv2D" else inside
        return np.ix_(*map(np.arange, variable.shape[:2]), chosen, np.arange(1))
    sides = [np.arange(side) for side in variable.shape[:-2]]
    pair = (outside, inside) if kind == "Conv2DTranspose" else (inside, outside)
    return np.ix_(*sides, *pair)


def reestimate_batch_norm(
    model: MultiExitModel, examples: Examples, *, batches: int = _BATCHES
) -> None:
    """Replace every running mean and variance by its average over training images, in place.

    Args:
        examples: training images; the first of the first epoch are taken.
        batches: number of batches that the statistics are averaged over, at most.
    """
    layers = [
        layer for layer in model.network.layers if type(layer).__name__ == "BatchNormalization"
    ]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    blocks = first_batches(examples, batches, images=_BATCH, pixels=_PIXELS)
    for number, block in enumerate(blocks):
        for layer in layers:
            # With this momentum the running value is the mean of all batches so far.
            layer.momentum = number / (number + 1)
        model.logits(tf.cast(block.images[0], tf.float32), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
