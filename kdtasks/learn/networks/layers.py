"""What the networks of the zoo share: layers, each with a name, and chains of blocks."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.settings import Size, Sizes
from kdtasks.learn.networks import Architecture, Backbone, Taps

DropoutRate = Annotated[float, Field(ge=0.0, lt=1.0)]


def scaled_filters(width: float, filters: int) -> int:
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


def dense(
    tensor: Tensor, units: int, *, name: str, activation: str, dropout: float | None
) -> Tensor:
    """Apply a dense layer, activation and, where there is a rate, dropout, each a named layer."""
    tensor = keras.layers.Dense(units, name=name)(tensor)
    tensor = activate(tensor, activation, name=f"{name}_activation")
    if dropout is None:
        return tensor
    return keras.layers.Dropout(dropout, name=f"{name}_dropout")(tensor)


def activate(tensor: Tensor, activation: str, *, name: str) -> Tensor:
    """Apply `relu` or `leaky_relu` (slope 0.2) as a layer of its own."""
    if activation == "leaky_relu":
        return keras.layers.LeakyReLU(0.2, name=name)(tensor)
    return keras.layers.ReLU(name=name)(tensor)


class Chain(Architecture):
    """A first convolution, and blocks in a chain."""

    scalable: ClassVar[tuple[str, ...]] = ("stem", "filters")
    deep: ClassVar[tuple[str, ...]] = ("filters", "strides")

    stem: Size = Field(default=16, description="filters of the first convolution")
    stem_strides: Size = Field(
        default=1,
        description="by how much it makes height and width smaller; 2 takes little time, for a "
        "convolution at the image's own size is the slowest",
    )
    filters: Sizes = Field(
        min_length=1, description="filters of each block; a block is named `block_1`, `block_2` …"
    )
    strides: Sizes = Field(
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

    def deepened(self, layers: int) -> Self:
        """Give every run of equal blocks so many more, or fewer; the first stays."""
        runs: list[list[tuple[int, int]]] = []
        for filters, stride in zip(self.filters, self.strides, strict=True):
            if not runs or stride > 1 or filters != runs[-1][0][0]:
                runs.append([])
            runs[-1].append((filters, stride))
        blocks = [
            block
            for run in runs
            for block in run[: max(1, len(run) + layers)] + [(run[0][0], 1)] * max(0, layers)
        ]
        changed = {
            "filters": [block[0] for block in blocks],
            "strides": [block[1] for block in blocks],
        }
        return type(self).model_validate(self.model_dump() | changed)

    @abstractmethod
    def block(self, tensor: Tensor, filters: int, strides: int, *, name: str) -> Tensor:
        """Build a block; the names of its layers begin with its own."""

    def taps(self) -> list[str]:
        return ["stem", *(f"block_{number}" for number in range(1, len(self.filters) + 1))]

    def last_layers(self, tensor: Tensor) -> Tensor:
        """Build what stands between the blocks and the last exit's average; here nothing."""
        return tensor

    def build(self, image: Tensor) -> Backbone:
        tensor = convolution(image, name="stem", filters=self.stem, strides=self.stem_strides)
        taps: Taps = {"stem": (tensor,)}
        for name, *sizes in zip(self.taps()[1:], self.filters, self.strides, strict=True):
            tensor = self.block(tensor, *sizes, name=name)
            taps[name] = (tensor,)
        average = keras.layers.GlobalAveragePooling2D(name="top_average")
        return Backbone(average(self.last_layers(tensor)), taps)
