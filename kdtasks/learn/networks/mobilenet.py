"""A chain of inverted residuals for small images, after MobileNetV2 (arXiv 1801.04381)."""

import math
from typing import ClassVar, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.settings import Size
from kdtasks.learn.networks import architectures
from kdtasks.learn.networks.layers import Chain, activate, batch_normalization, convolution


@architectures.register
class MobileNet(Chain):
    """Inverted residuals: each block widens, convolves every channel by itself, and narrows."""

    scalable: ClassVar[tuple[str, ...]] = ("stem", "filters", "dense", "top")

    name: Literal["mobilenet"] = "mobilenet"
    expansion: Size = Field(
        default=4, description="how many times as many filters a block has inside as come in"
    )
    kernel_size: Size = Field(default=3, description="side of the depthwise kernels, in pixels")
    dense: Size | None = Field(
        default=None,
        description="blocks of at most so many filters are one convolution of all channels, which "
        "takes more bytes and, of few filters, less time; null for none",
    )
    top: Size | None = Field(
        default=None,
        description="filters of a 1×1 convolution before the last exit's average; null for none",
    )

    def last_layers(self, tensor: Tensor) -> Tensor:
        if self.top is None:
            return tensor
        return convolution(tensor, name="top", filters=self.top, kernel_size=1)

    def block(self, tensor: Tensor, filters: int, strides: int, *, name: str) -> Tensor:
        expansion, size = self.expansion, self.kernel_size
        if self.dense is not None and filters <= self.dense:
            return residual(tensor, filters, strides, name=name, kernel_size=size)
        return inverted_residual(
            tensor, filters, strides, name=name, expansion=expansion, kernel_size=size
        )


def residual(tensor: Tensor, filters: int, strides: int, *, name: str, kernel_size: int) -> Tensor:
    """Convolve once and add what came in, where it has the same shape; then the activation."""
    shortcut = tensor
    tensor = convolution(
        tensor,
        name=f"{name}_dense",
        filters=filters,
        kernel_size=kernel_size,
        strides=strides,
        activation=None,
    )
    if strides == 1 and filters == shortcut.shape[-1]:
        tensor = keras.layers.Add(name=f"{name}_add")([shortcut, tensor])
    return activate(tensor, "relu", name=f"{name}_activation")


def inverted_residual(
    tensor: Tensor, filters: int, strides: int, *, name: str, expansion: int = 1, kernel_size: int
) -> Tensor:
    """Widen, convolve every channel by itself, narrow without activation; add what came in.

    What came in is added where it has the same shape.

    Args:
        tensor: [batch, height, width, channels].
        name: the layers are `{name}_expand_…`, `{name}_depthwise_…`, `{name}_project_…` and
            `{name}_add`.
        filters: channels that come out.
        expansion: how many times as many channels there are inside as come in; with 1 nothing is
            widened.
    """
    shortcut = tensor
    if expansion > 1:
        inside = expansion * tensor.shape[-1]
        tensor = convolution(tensor, name=f"{name}_expand", filters=inside, kernel_size=1)
    # Keras would count all channels as inputs of each of these kernels, and begin near zero.
    spread = math.sqrt(2.0) / kernel_size
    tensor = keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=keras.initializers.TruncatedNormal(stddev=spread),
        name=f"{name}_depthwise_conv",
    )(tensor)
    tensor = batch_normalization(tensor, name=f"{name}_depthwise_norm")
    tensor = activate(tensor, "relu", name=f"{name}_depthwise_activation")
    tensor = convolution(
        tensor, name=f"{name}_project", filters=filters, kernel_size=1, activation=None
    )
    if strides > 1 or filters != shortcut.shape[-1]:
        return tensor
    return keras.layers.Add(name=f"{name}_add")([shortcut, tensor])
