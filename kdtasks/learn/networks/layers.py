"""Layers that the networks of the zoo share, each with a name."""

from typing import Annotated

from pydantic import Field

from kdtasks.core.backend import Tensor, keras

DropoutRate = Annotated[float, Field(ge=0.0, lt=1.0)]


def share_of(width: float, filters: int) -> int:
    """`filters` times `width`, at least one."""
    return max(1, round(width * filters))


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

    Args:
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
