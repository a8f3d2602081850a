"""Residual networks (arXiv 1512.03385) for small images, MLPerf Tiny's ResNet-8 among them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.learn.networks import Architecture, Backbone, architectures
from kdtasks.learn.networks.layers import Chain, activate, convolution, scaled_filters


@architectures.register
class ResNet(Chain):
    """A residual network: a convolution, then blocks of two; each block normalised and added up."""

    name: Literal["resnet"] = "resnet"

    def block(self, tensor: Tensor, filters: int, strides: int, *, name: str) -> Tensor:
        shortcut = tensor
        if strides > 1 or filters != tensor.shape[-1]:
            shortcut = keras.layers.Conv2D(
                filters, 1, strides=strides, padding="same", name=f"{name}_shortcut_conv"
            )(shortcut)
        tensor = convolution(tensor, name=f"{name}_1", filters=filters, strides=strides)
        tensor = convolution(tensor, name=f"{name}_2", filters=filters, activation=None)
        tensor = keras.layers.Add(name=f"{name}_add")([shortcut, tensor])
        return activate(tensor, "relu", name=f"{name}_activation")


@architectures.register
class ResNet8(Architecture):
    """ResNet-8 of MLPerf Tiny: three residual stages of 16, 32 and 64 filters times `width`.

    The network of the benchmark of image classification (arXiv 2106.07597).
    """

    scalable: ClassVar[tuple[str, ...]] = ("width",)

    name: Literal["resnet8"] = "resnet8"
    width: Annotated[float, Field(gt=0.0)] = Field(default=1.0, description="multiplies filters")

    def taps(self) -> list[str]:
        return self._network().taps()

    def build(self, image: Tensor) -> Backbone:
        return self._network().build(image)

    def _network(self) -> ResNet:
        stem, *filters = (scaled_filters(self.width, count) for count in (16, 16, 32, 64))
        return ResNet(stem=stem, filters=tuple(filters), strides=(1, 2, 2))
