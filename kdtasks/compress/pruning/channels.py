"""Follow every channel through a network: the layers that produce it, and those that consume it."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import numpy as np

from kdtasks.core.errors import CompressionError, did_you_mean
from kdtasks.core.settings import count_of

# Layers whose outputs have the channels of their input.
_SAME_CHANNELS = {
    "Activation",
    "AveragePooling2D",
    "BatchNormalization",
    "DepthwiseConv2D",
    "Dropout",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "LeakyReLU",
    "MaxPooling2D",
    "ReLU",
    "Rescaling",
    "UpSampling2D",
    "ZeroPadding2D",
}

# Layers that join channels one to one, such as the gates of squeeze-and-excitation.
_TIED = {"Add", "Multiply"}

_PRODUCERS = {"Conv2D", "Conv2DTranspose", "Dense", "SeparableConv2D"}


class Channels:
    """The channels of every tensor of a Functional network, as numbers.

    Channels that an addition or a product joins can only be kept or removed together: they carry
    one number.

    Attributes:
        producers: layers that produce channels of their own, in the network's order.
        fixed: numbers that must stay: those of the input and of the logits.
    """

    def __init__(self, network: Any) -> None:
        """Trace the network.

        Raises:
            CompressionError: a layer's effect on channels is not known.
        """
        self._inputs: dict[str, np.ndarray] = {}
        self._outputs: dict[str, np.ndarray] = {}
        self._labels = np.zeros(0, np.int64)  # the same one for channels that are tied
        self.producers: list[str] = []
        by_tensor: dict[int, np.ndarray] = {}
        for layer in network.layers:
            tensors = layer.get_input_at(0)
            tensors = tensors if isinstance(tensors, list) else [tensors]
            given = [by_tensor[id(tensor)] for tensor in tensors if id(tensor) in by_tensor]
            made = self._trace(layer, given)
            if given:
                self._inputs[layer.name] = given[0]
            self._outputs[layer.name] = made
            by_tensor[id(layer.get_output_at(0))] = made
        ends = [by_tensor[id(tensor)] for tensor in [*network.inputs, *network.outputs]]
        self.fixed = set(self._labels[np.concatenate(ends)].tolist())

    def consumed_by(self, layer_name: str) -> np.ndarray:
        """Numbers of the channels that a layer consumes, in order, int [C]."""
        return self._labels[self._inputs[layer_name]]

    def produced_by(self, layer_name: str) -> np.ndarray:
        """Numbers of the channels that a layer produces, in order, int [C]."""
        return self._labels[self._outputs[layer_name]]

    def groups(self) -> dict[tuple[str, ...], list[int]]:
        """Channels that may be removed, by the layers that produce them together, in order.

        Channels of the same producers compete with each other, so that each keeps its fraction.
        """
        produced_by: dict[int, list[str]] = {}
        for name in self.producers:
            numbers = self.produced_by(name).tolist()
            if not self.fixed.intersection(numbers):
                for number in numbers:
                    produced_by.setdefault(number, []).append(name)
        grouped: dict[tuple[str, ...], list[int]] = {}
        for number, producers in produced_by.items():
            grouped.setdefault(tuple(producers), []).append(number)
        return grouped

    def _trace(self, layer: Any, given: list[np.ndarray]) -> np.ndarray:
        kind = type(layer).__name__
        if kind == "InputLayer":
            return self._new_channels(layer)
        if getattr(layer, "depth_multiplier", 1) != 1:
            raise CompressionError(
                f"layer {layer.name!r} multiplies channels (depth_multiplier "
                f"{layer.depth_multiplier}); filters can be removed with a multiplier of 1 only"
            )
        if kind in _PRODUCERS and getattr(layer, "groups", 1) == 1:
            self.producers.append(layer.name)
            return self._new_channels(layer)
        if kind in _SAME_CHANNELS:
            return given[0]
        if kind == "Flatten":
            return np.tile(given[0], np.prod(layer.get_input_at(0).shape[1:-1], dtype=int))
        if kind == "Concatenate":
            return np.concatenate(given)
        if kind == "Reshape" and _keeps_channels(layer):
            return given[0]
        if kind in _TIED:
            for other in given[1:]:
                if len(other) != len(given[0]):
                    raise CompressionError(
                        f"layer {layer.name!r} ({kind}) joins {len(given[0])} and {len(other)} "
                        "channels, which cannot be followed; give both as many"
                    )
                for left, right in zip(given[0], other, strict=True):
                    self._labels[self._labels == self._labels[right]] = self._labels[left]
            return given[0]
        raise CompressionError(
            f"layer {layer.name!r} is a {kind}, whose channels cannot be followed; known are "
            f"{', '.join(sorted(_SAME_CHANNELS | _PRODUCERS | _TIED | {'Concatenate', 'Flatten'}))}"
        )

    def _new_channels(self, layer: Any) -> np.ndarray:
        count = len(self._labels)
        numbers = np.arange(count, count + layer.get_output_at(0).shape[-1])
        self._labels = np.append(self._labels, numbers)
        return numbers


def _keeps_channels(layer: Any) -> bool:
    """Whether a `Reshape` makes one place of a vector: [channels] becomes [1, 1, channels]."""
    before, after = layer.get_input_at(0).shape, layer.get_output_at(0).shape
    return len(after) == 4 and tuple(after[1:]) == (1, 1, before[-1])


def choose_channels(
    channels: Channels,
    scores: Mapping[int, float],
    ratio: float,
    *,
    ratios: Mapping[str, float] | None = None,
    together: bool = False,
) -> set[int]:
    """Choose the channels to remove: those with the lowest scores.

    Channels of the same producers compete with each other; at least one of them stays.

    Args:
        scores: of the channels that may go; others stay.
        ratio: fraction to remove.
        ratios: fractions of single layers, and of all that are tied to them.
        together: whether `ratio` is of all channels of the network, not of every layer's.

    Returns:
        channel numbers; none of them fixed.

    Raises:
        CompressionError: `ratios` names a layer that has no filters to remove.
    """
    ratios = ratios or {}
    groups = channels.groups()
    known = {name for producers in groups for name in producers}
    for name in ratios:
        if name not in known:
            raise CompressionError(
                f"compress.passes.filters.ratios names {name!r}, which has no filters to remove; "
                f"layers that have: {', '.join(sorted(known))}{did_you_mean(name, sorted(known))}"
            )

    def ranked(numbers: Iterable[int]) -> list[int]:
        return sorted(numbers, key=lambda number: (scores[number], number))

    removed: set[int] = set()
    pooled: list[list[int]] = []
    for producers, numbers in groups.items():
        # One stays; where not all may go, one of those does.
        removable = ranked(number for number in numbers if number in scores)[: len(numbers) - 1]
        own = next((ratios[name] for name in producers if name in ratios), None)
        if together and own is None:
            pooled.append(removable)
        else:
            removed.update(removable[: count_of(ratio if own is None else own, len(numbers))])
    total = sum(len(removable) + 1 for removable in pooled)
    removed.update(ranked(chain.from_iterable(pooled))[: count_of(ratio, total)])
    return removed
