"""What every network of the zoo hands over: its last features, and the places for early exits."""

from dataclasses import dataclass, field

from kdtasks.backend import Tensor, keras


@dataclass
class Backbone:
    """A network without heads.

    Attributes:
        taps: block name to the tensors that the rest of the network needs after that block. The
            first is what an exit there looks at; a chain has just that one, a U-Net also its open
            skips.
        features: the tensor that the last exit looks at.
    """

    features: Tensor
    taps: dict[str, tuple[Tensor, ...]] = field(default_factory=dict)


def convolution(
    tensor: Tensor,
    *,
    name: str,
    filters: int,
    kernel_size: int = 3,
    strides: int = 1,
    normalize: bool = True,
    activation: str | None = "relu",
) -> Tensor:
    """Apply convolution, batch normalisation and activation, each a named layer.

    Arguments:
        tensor: [batch, height, width, channels].
        name: the layers are `{name}_conv`, `{name}_norm`, `{name}_activation`.
        activation: `relu`, `leaky_relu` (slope 0.2) or None.
    """
    tensor = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=not normalize,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(tensor)
    if normalize:
        tensor = batch_normalization(tensor, name=f"{name}_norm")
    return activate(tensor, activation, name=f"{name}_activation") if activation else tensor


def batch_normalization(tensor: Tensor, *, name: str) -> Tensor:
    """Normalise; the running statistics follow fast enough for short trainings."""
    return keras.layers.BatchNormalization(momentum=0.9, name=name)(tensor)


def activate(tensor: Tensor, activation: str, *, name: str) -> Tensor:
    """Apply `relu` or `leaky_relu` (slope 0.2) as a layer of its own."""
    if activation == "leaky_relu":
        return keras.layers.LeakyReLU(0.2, name=name)(tensor)
    return keras.layers.ReLU(name=name)(tensor)
