"""Params of the networks of the zoo: one frozen class an architecture, told apart by `name`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Self

from pydantic import Field, model_validator

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.settings import Count, Counts, Section

DropoutRate = Annotated[float, Field(ge=0.0, lt=1.0)]


class _BlocksParams(Section):
    """A first convolution, and blocks in a chain."""

    name: str
    stem: Count = Field(default=16, description="filters of the first convolution")
    filters: Counts = Field(
        min_length=1, description="filters of each block; a block is named `block_1`, `block_2` …"
    )
    strides: Counts = Field(
        min_length=1,
        description="by how much each block makes height and width smaller; as many as `filters`",
    )

    @model_validator(mode="after")
    def _one_stride_a_block(self) -> Self:
        if len(self.strides) != len(self.filters):
            raise ValueError(
                f"got {len(self.filters)} filters and {len(self.strides)} strides; give one of "
                "each for every block"
            )
        return self


class HeadParams(Section):
    """What an early exit of a classifier does with the features it looks at."""

    filters: Count | None = Field(
        default=None,
        description="filters of a 3×3 convolution that halves height and width first; null for "
        "none",
    )
    grid: Count = Field(
        default=4,
        description="side of the grid that the features are averaged to, or less where theirs is "
        "no multiple of it",
    )


Heads = Mapping[str, HeadParams]


def share_of(width: float, filters: int) -> int:
    """`filters` times `width`, at least one."""
    return max(1, round(width * filters))


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
