"""Params of the networks of the zoo: one frozen class an architecture, told apart by `name`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kdtasks.errors import did_you_mean
from kdtasks.params.section import Count, Counts, Section

DropoutRate = Annotated[float, Field(ge=0.0, lt=1.0)]


class CnnParams(Section):
    """A chain of convolution blocks, then dense layers."""

    name: Literal["cnn"]
    filters: Counts = Field(
        min_length=1, description="filters of each block; a block is named `block_1`, `block_2` …"
    )
    kernel_size: Count = Field(default=3, description="side of the kernels, in pixels")
    convolutions: Count = Field(default=1, description="convolutions a block")
    downsampling: Literal["max_pooling", "strides"] = Field(
        default="max_pooling", description="how a block halves height and width"
    )
    batch_normalization: bool = Field(default=True, description="normalise after convolutions")
    activation: Literal["relu", "leaky_relu"] = Field(
        default="relu", description="`leaky_relu` has a slope of 0.2"
    )
    dropout: DropoutRate = Field(
        default=0.0, description="dropout rate after each block and each dense layer"
    )
    top: Literal["flatten", "global_average"] = Field(
        default="global_average", description="how the last features become a vector"
    )
    dense: Annotated[tuple[Count, ...], Field(strict=False)] = Field(
        default=(), description="units of the hidden dense layers"
    )


class ResNet8Params(Section):
    """ResNet-8 of MLPerf Tiny: three residual stages of 16, 32 and 64 filters times `width`."""

    name: Literal["resnet8"]
    width: Annotated[float, Field(gt=0.0)] = Field(default=1.0, description="multiplies filters")


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


class ResNetParams(_BlocksParams):
    """A residual network: a convolution, then blocks of two; each block normalised and added up."""

    name: Literal["resnet"]


class MobileNetParams(_BlocksParams):
    """Inverted residuals: each block widens, convolves every channel by itself, and narrows."""

    name: Literal["mobilenet"]
    expansion: Count = Field(
        default=4, description="how many times as many filters a block has inside as come in"
    )
    kernel_size: Count = Field(default=3, description="side of the depthwise kernels, in pixels")
    top: Count | None = Field(
        default=None,
        description="filters of a 1×1 convolution before the last exit's average; null for none",
    )


class TwoPathParams(Section):
    """A coarse path that answers soon, and a fine one that goes on and joins it."""

    name: Literal["two_path"]
    stem: Count = Field(default=24, description="filters of the first convolution")
    trunk: Counts = Field(
        min_length=1,
        description="filters of the blocks before the paths part, `trunk_1` …; the first halves "
        "height and width",
    )
    coarse: Counts = Field(
        min_length=1,
        description="filters of the blocks of the coarse path, `coarse_1` …; the first halves "
        "height and width",
    )
    fine: Counts = Field(
        min_length=1, description="filters of the blocks of the fine path, `fine_1` …"
    )
    merged: Annotated[tuple[Count, ...], Field(strict=False)] = Field(
        default=(),
        description="filters of the blocks, `merged_2` …, after `merged_1`, where the fine path is "
        "halved and the coarse one is added",
    )
    kernel_size: Count = Field(
        default=5,
        description="side of the depthwise kernels, in pixels; at the picture's own height and "
        "width at most 3",
    )


class AlexNetParams(Section):
    """AlexNet for 32×32 pictures: five convolutions and two dense layers."""

    name: Literal["alexnet"]
    width: Annotated[float, Field(gt=0.0)] = Field(
        default=1.0, description="multiplies the filters 32, 64, 96, 96, 64 and the dense units 256"
    )
    dropout: DropoutRate = Field(default=0.5, description="dropout rate of the dense layers")


class UNetParams(Section):
    """U-Net: an encoder and a decoder joined by skips; heads give one logit vector a pixel."""

    name: Literal["unet"]
    filters: Counts = Field(
        min_length=2, description="filters at each depth, from full resolution downwards"
    )
    dropout: DropoutRate = Field(default=0.0, description="dropout rate at the deepest level")
    batch_normalization: bool = Field(default=True, description="normalise after convolutions")


Architecture = Annotated[
    CnnParams
    | ResNet8Params
    | ResNetParams
    | MobileNetParams
    | TwoPathParams
    | AlexNetParams
    | UNetParams,
    Field(discriminator="name"),
]


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


def taps_of(architecture: "Architecture") -> list[str]:
    """Names of the blocks that can carry an early exit, in the network's order."""
    if isinstance(architecture, CnnParams):
        return [f"block_{number}" for number in range(1, len(architecture.filters) + 1)]
    if isinstance(architecture, ResNet8Params):
        return ["stem", "block_1", "block_2", "block_3"]
    if isinstance(architecture, ResNetParams | MobileNetParams):
        blocks = range(1, len(architecture.filters) + 1)
        return ["stem", *(f"block_{number}" for number in blocks)]
    if isinstance(architecture, TwoPathParams):
        lengths = {
            "trunk": len(architecture.trunk),
            "coarse": len(architecture.coarse),
            "fine": len(architecture.fine),
            "merged": len(architecture.merged) + 1,
        }
        parts = [f"{part}_{n}" for part, length in lengths.items() for n in range(1, length + 1)]
        return ["stem", *parts]
    if isinstance(architecture, AlexNetParams):
        return [f"block_{number}" for number in range(1, 6)]
    return [f"up_{number}" for number in range(1, len(architecture.filters))]


def check_exits(architecture: "Architecture", exits: Sequence[str]) -> None:
    """Refuse exits that name no block, stand twice or out of order.

    Raises:
        ValueError: the message lists the blocks.
    """
    taps = taps_of(architecture)
    for name in exits:
        check_block(architecture, name, key="student.exits")
    positions = [taps.index(name) for name in exits]
    if positions != sorted(set(positions)):
        raise ValueError(
            f"student.exits: got {list(exits)}; give each block once, in the order "
            f"{', '.join(taps)}"
        )


def check_block(architecture: "Architecture", name: str, *, key: str) -> None:
    """Refuse a name that no block of the network has; `key` is the params key it stands in.

    Raises:
        ValueError: the message lists the blocks.
    """
    taps = taps_of(architecture)
    if name not in taps:
        raise ValueError(
            f"{key}: {architecture.name} has no block {name!r}; "
            f"its blocks: {', '.join(taps)}{did_you_mean(name, taps)}"
        )


def share_of(width: float, filters: int) -> int:
    """`filters` times `width`, at least one."""
    return max(1, round(width * filters))
