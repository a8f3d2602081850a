"""A plain chain of convolution blocks: the networks of `mnist-5k`, `cifar10-keras`, `flowers`."""

from typing import ClassVar, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.settings import Size, Sizes
from kdtasks.learn.networks import Architecture, Backbone, architectures
from kdtasks.learn.networks.layers import DropoutRate, activate, convolution, dense


@architectures.register
class CNN(Architecture):
    """A chain of convolution blocks, then dense layers."""

    scalable: ClassVar[tuple[str, ...]] = ("filters", "dense")
    deep: ClassVar[tuple[str, ...]] = ("convolutions",)

    name: Literal["cnn"] = "cnn"
    filters: Sizes = Field(
        min_length=1, description="filters of each block; a block is named `block_1`, `block_2` …"
    )
    kernel_size: Size = Field(default=3, description="side of the kernels, in pixels")
    convolutions: Size = Field(default=1, description="convolutions a block")
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
    dense: Sizes = Field(default=(), description="units of the hidden dense layers")

    def taps(self) -> list[str]:
        return [f"block_{number}" for number in range(1, len(self.filters) + 1)]

    def build(self, image: Tensor) -> Backbone:
        tensor, taps = image, {}
        # Both only grow, so their order makes no difference but that a quarter of the numbers is
        # left. Converters fold a ReLU into the convolution, where it costs nothing.
        activates_last = self.downsampling == "max_pooling" and self.activation == "leaky_relu"
        for name, filters in zip(self.taps(), self.filters, strict=True):
            for number in range(1, self.convolutions + 1):
                last = number == self.convolutions
                tensor = convolution(
                    tensor,
                    name=f"{name}_{number}",
                    filters=filters,
                    kernel_size=self.kernel_size,
                    strides=2 if last and self.downsampling == "strides" else 1,
                    normalize=self.batch_normalization,
                    activation=None if last and activates_last else self.activation,
                )
            if self.downsampling == "max_pooling":
                tensor = keras.layers.MaxPooling2D(padding="same", name=f"{name}_pool")(tensor)
            if activates_last:
                layer = f"{name}_{self.convolutions}_activation"
                tensor = activate(tensor, self.activation, name=layer)
            if self.dropout:
                tensor = keras.layers.Dropout(self.dropout, name=f"{name}_dropout")(tensor)
            taps[name] = (tensor,)
        if self.top == "flatten":
            tensor = keras.layers.Flatten(name="top_flatten")(tensor)
        else:
            tensor = keras.layers.GlobalAveragePooling2D(name="top_average")(tensor)
        for number, units in enumerate(self.dense, start=1):
            name, dropout = f"dense_{number}", self.dropout or None
            tensor = dense(tensor, units, name=name, activation=self.activation, dropout=dropout)
        return Backbone(features=tensor, taps=taps)
