"""A network with one exit or several, and its segments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from math import prod
from typing import Any

from kdtasks.core.backend import Tensor, keras, tf
from kdtasks.core.errors import ModelError, did_you_mean

# The layers that multiply, and their kernels.
_KERNELS = {
    "Dense": ("kernel",),
    "Conv2D": ("kernel",),
    "Conv2DTranspose": ("kernel",),
    "DepthwiseConv2D": ("depthwise_kernel",),
    "SeparableConv2D": ("depthwise_kernel", "pointwise_kernel"),
}


@dataclass(frozen=True)
class Segment:
    """A part of a network between two exits.

    Attributes:
        model: `keras.Model` from the tensors it takes to its logits and the tensors it gives.
        takes: names of its inputs: `image`, or features of earlier segments.
        gives: names of the features after its logits.
    """

    model: Any
    takes: tuple[str, ...]
    gives: tuple[str, ...]


@dataclass(frozen=True)
class TappedModel:
    """A network with the features of some of its blocks.

    Attributes:
        network: `keras.Model` of the same layers as the one without; its outputs are the logits of
            every exit, then the features. With `heads`, the early exits' places are taken by what
            they look at.
        num_exits: K.
        heads: for each early exit a `keras.Model` from what it looks at to its logits.
        exit_gradient: fraction of the gradient that heads hand on to what they look at.
    """

    network: Any
    num_exits: int
    heads: tuple[Any, ...] = ()
    exit_gradient: float = 1.0

    @property
    def feature_shapes(self) -> list[tuple[int, ...]]:
        """Shape of each block's features, without the batch."""
        return [tuple(tensor.shape[1:]) for tensor in self.network.outputs[self.num_exits :]]

    def __call__(
        self, images: Tensor, *, training: bool = False
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the logits of every exit and the features of every block, for pixels 0…255."""
        outputs = tf.nest.flatten(self.network(images, training=training))
        for index, head in enumerate(self.heads):
            features = outputs[index]
            fixed = tf.stop_gradient(features)
            # The difference is 0, and its gradient the fraction.
            scaled = fixed + self.exit_gradient * (features - fixed)
            outputs[index] = head(scaled, training=training)
        return outputs[: self.num_exits], outputs[self.num_exits :]


@dataclass(frozen=True)
class MultiExitModel:
    """A flat Functional network whose outputs are the logits of its exits, first exit first.

    It is trained and compressed as one flat network, since that is what the pruning tools take,
    and is cut into segments where it is run with early stopping.

    Attributes:
        network: `keras.Model` from raw pixels 0…255 [batch, height, width, channels] to a list of
            K logits, each [batch, classes] or, for segmentation, [batch, height, width, classes].
        taps: for every exit but the last, the names of the layers whose outputs the next segment
            takes.
        blocks: name of each block that may be looked at to the name of its last layer.
    """

    network: Any
    taps: tuple[tuple[str, ...], ...] = ()
    blocks: Mapping[str, str] = field(default_factory=dict)

    @property
    def num_exits(self) -> int:
        """K, the last exit included."""
        return len(self.taps) + 1

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return tuple(self.network.input_shape[1:])

    def logits(self, images: Tensor, *, training: bool = False) -> list[Tensor]:
        """Run every exit on float pixels 0…255."""
        return [*tf.nest.flatten(self.network(images, training=training))]

    def tapped(self, names: Sequence[str], *, exit_gradient: float = 1.0) -> TappedModel:
        """Give the features of blocks, or of layers, beside the logits.

        Args:
            exit_gradient: fraction of the early exits' gradient that reaches the blocks below them.

        Raises:
            ModelError: there is no block or layer of that name; the message lists the blocks.
        """
        layers = {layer.name for layer in self.network.layers}
        for name in names:
            if name not in self.blocks and name not in layers:
                raise ModelError(
                    f"the network {self.network.name} has no block and no layer {name!r}; its "
                    f"blocks: {', '.join(self.blocks)}; its layers: {', '.join(sorted(layers))}"
                    f"{did_you_mean(name, [*self.blocks, *layers])}"
                )
        features = [self._output_of(self.blocks.get(name, name)) for name in names]
        *early, last = self.network.outputs
        heads: tuple[Any, ...] = ()
        if exit_gradient != 1.0 and early:
            tapped = [self._output_of(taps[0]) for taps in self.taps]
            heads = tuple(keras.Model(*pair) for pair in zip(tapped, early, strict=True))
            early = tapped
        elif not names:
            return TappedModel(self.network, self.num_exits)
        network = keras.Model(self.network.inputs, [*early, last, *features])
        return TappedModel(network, self.num_exits, heads, exit_gradient)

    def segments(self) -> list[Segment]:
        """Cut the network at its taps; the segments share their layers, so their weights, with it.

        Feature tensors are numbered over the whole network in the order in which they arise. A
        tensor that a later segment needs as well (an open skip of a U-Net) is given once and kept.
        """
        tapped_names = dict.fromkeys(chain.from_iterable(self.taps))
        numbers = {name: f"features_{index}" for index, name in enumerate(tapped_names)}
        segments, given = [], {"image": self.network.inputs[0]}
        for index, logits in enumerate(self.network.outputs):
            names = self.taps[index] if index < len(self.taps) else ()
            fresh = [name for name in names if numbers[name] not in given]
            tapped = {numbers[name]: self._output_of(name) for name in fresh}
            reached = _walk_back([logits, *tapped.values()], until=list(given.values()))
            takes = [name for name, tensor in given.items() if id(tensor) in reached]
            model = keras.Model(
                [given[name] for name in takes], [logits, *tapped.values()], name=f"segment_{index}"
            )
            segments.append(Segment(model=model, takes=tuple(takes), gives=tuple(tapped)))
            given |= tapped
        return segments

    def rebuilt(self, network: Any) -> "MultiExitModel":
        """The same cuts in another network of the same layers, cloned.

        A layer of the clone belongs to one graph only, which cutting relies on.
        """
        fresh = keras.models.clone_model(network)
        fresh.set_weights(network.get_weights())
        return MultiExitModel(network=fresh, taps=self.taps)

    def _output_of(self, name: str) -> Any:
        names = {layer.name for layer in self.network.layers}
        # tfmot renames the layers that it wraps to train for int8, and they stand in two graphs.
        layer = self.network.get_layer(name if name in names else f"quant_{name}")
        tensors = [layer.get_output_at(index) for index in range(len(layer.inbound_nodes))]
        if len(tensors) == 1:
            return tensors[0]
        here = _walk_back(self.network.outputs, until=self.network.inputs)
        return next(tensor for tensor in tensors if id(tensor) in here)

    def macs(self) -> list[int]:
        """Multiply-accumulates up to and including each exit, earlier heads included; length K."""
        return list(accumulate(count_macs(segment.model) for segment in self.segments()))

    def count_parameters(self) -> int:
        """Number of weights, running statistics included."""
        return int(self.network.count_params())


def _walk_back(tensors: list[Any], *, until: list[Any]) -> set[int]:
    """Identities of the tensors that `tensors` come from, looking no further than `until`."""
    ends = {id(tensor) for tensor in until}
    waiting, reached = list(tensors), set()
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in reached:
            continue
        reached.add(id(tensor))
        if id(tensor) not in ends:
            waiting.extend(tensor.node.keras_inputs)
    return reached


def count_macs(model: Any) -> int:
    """Count the multiply-accumulates of one image.

    Batch normalisation folds into the convolution before it and elementwise layers multiply next
    to nothing, so neither counts.

    Args:
        model: a Functional `tf_keras` model with fixed height and width.
    """
    return sum(map(_layer_macs, model.layers))


def _layer_macs(layer: Any) -> int:
    """Every weight of a kernel multiplies once at each position."""
    kind = type(layer).__name__
    if kind not in _KERNELS:
        return 0
    # A transposed convolution multiplies at every position of its input.
    transposed = kind == "Conv2DTranspose"
    shape = layer.get_input_shape_at(0) if transposed else layer.get_output_shape_at(0)
    return prod(shape[1:-1]) * sum(prod(getattr(layer, name).shape) for name in _KERNELS[kind])
