"""Structured pruning: remove whole filters and build the network anew, smaller and faster.

Filters are ranked by the L1 norm of their kernels (Li et al., arXiv 1608.08710).
"""

from collections import defaultdict
from typing import Any

import numpy as np

from kdtasks.backend import keras
from kdtasks.compression.channels import Channels
from kdtasks.compression.fine_tuning import FineTuning
from kdtasks.models.multi_exit import MultiExitModel
from kdtasks.params.compression import FiltersParams


def prune_filters(
    model: MultiExitModel, params: FiltersParams, fine_tuning: FineTuning
) -> MultiExitModel:
    """Return a smaller model, fine-tuned, without `params.ratio` of the filters of every layer."""
    channels = Channels(model.network)
    removed = least_important(model.network, channels, params.ratio)
    smaller = remove_channels(model, channels, removed)
    print(
        f"filters: {model.count_parameters():,} to {smaller.count_parameters():,} parameters, "
        f"{model.macs()[-1]:,} to {smaller.macs()[-1]:,} multiply-accumulates"
    )
    fine_tuning.run(smaller, name="filters", epochs=params.epochs)
    return smaller


def least_important(network: Any, channels: Channels, ratio: float) -> set[int]:
    """Choose the channels to remove: the smallest norms of every layer or group of tied layers.

    Arguments:
        ratio: share to remove; at least one channel of every layer stays.

    Returns:
        channel numbers; none of them fixed.
    """
    norms: dict[int, float] = defaultdict(float)
    made_by: dict[int, list[str]] = defaultdict(list)
    for name in channels.makers:
        numbers = channels.made_by(name)
        if channels.fixed.intersection(numbers.tolist()):
            continue
        kernel = np.abs(network.get_layer(name).get_weights()[0])
        if type(network.get_layer(name)).__name__ == "Conv2DTranspose":
            kernel = np.swapaxes(kernel, -1, -2)
        sizes = kernel.reshape(-1, kernel.shape[-1]).sum(axis=0)
        # Relative sizes, so that tied layers of different scale have an equal say.
        mean = max(float(sizes.mean()), np.finfo(np.float32).tiny)
        for number, size in zip(numbers.tolist(), sizes / mean, strict=True):
            norms[number] += float(size)
            made_by[number].append(name)
    # Channels of the same makers compete, so that each maker keeps its share of each group.
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, makers in made_by.items():
        groups[tuple(makers)].append(number)
    removed: set[int] = set()
    for numbers_of_group in groups.values():
        count = min(int(ratio * len(numbers_of_group)), len(numbers_of_group) - 1)
        ranked = sorted(numbers_of_group, key=lambda number: (norms[number], number))
        removed.update(ranked[:count])
    return removed


def remove_channels(model: MultiExitModel, channels: Channels, removed: set[int]) -> MultiExitModel:
    """Build the network without some channels; what stays keeps its weights and its names.

    Where all weights of the removed channels are zero the outputs stay what they were.
    """
    gone = np.array(sorted(removed), dtype=int)

    def shrink(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in channels.makers:
            kept = int((~np.isin(channels.made_by(layer.name), gone)).sum())
            config["units" if "units" in config else "filters"] = kept
        return type(layer).from_config(config)

    network = keras.models.clone_model(model.network, clone_function=shrink)
    for layer in model.network.layers:
        if layer.get_weights():
            keep_in = ~np.isin(channels.taken_by(layer.name), gone)
            keep_out = ~np.isin(channels.made_by(layer.name), gone)
            weights = [_slice(layer, weight, keep_in, keep_out) for weight in layer.get_weights()]
            network.get_layer(layer.name).set_weights(weights)
    return MultiExitModel(network=network, taps=model.taps)


def _slice(layer: Any, weight: np.ndarray, keep_in: np.ndarray, keep_out: np.ndarray) -> np.ndarray:
    if weight.ndim == 1:
        return weight[keep_out]
    kind = type(layer).__name__
    if kind == "DepthwiseConv2D":
        return weight[:, :, keep_in]
    if kind == "Conv2DTranspose":
        return weight[..., keep_out, :][..., keep_in]
    return weight[..., keep_in, :][..., keep_out]
