"""Residual networks (arXiv 1512.03385) for small pictures, MLPerf Tiny's ResNet-8 among them."""

from typing import Annotated, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.settings import Section
from kdtasks.learn.networks.network import Backbone, _BlocksParams, activate, convolution, share_of


class ResNet8Params(Section):
    """ResNet-8 of MLPerf Tiny: three residual stages of 16, 32 and 64 filters times `width`."""

    name: Literal["resnet8"]
    width: Annotated[float, Field(gt=0.0)] = Field(default=1.0, description="multiplies filters")


class ResNetParams(_BlocksParams):
    """A residual network: a convolution, then blocks of two; each block normalised and added up."""

    name: Literal["resnet"]


def resnet8(image: Tensor, params: ResNet8Params) -> Backbone:
    """Build the network of MLPerf Tiny's image classification benchmark (arXiv 2106.07597).

    Its taps are `stem`, `block_1`, `block_2` and `block_3`.

    Arguments:
        image: [batch, height, width, channels], values 0…1.
    """
    stem, *filters = (share_of(params.width, count) for count in (16, 16, 32, 64))
    return resnet(
        image, ResNetParams(name="resnet", stem=stem, filters=tuple(filters), strides=(1, 2, 2))
    )


def resnet(image: Tensor, params: ResNetParams) -> Backbone:
    """Build a convolution, residual blocks and a global average; taps `stem`, `block_1` ….

    Arguments:
        image: [batch, height, width, channels], values 0…1.
    """
    tensor = convolution(image, name="stem", filters=params.stem)
    taps = {"stem": (tensor,)}
    for block, sizes in enumerate(zip(params.filters, params.strides, strict=True), start=1):
        tensor = _residual(tensor, *sizes, name=f"block_{block}")
        taps[f"block_{block}"] = (tensor,)
    features = keras.layers.GlobalAveragePooling2D(name="top_average")(tensor)
    return Backbone(features=features, taps=taps)


def _residual(tensor: Tensor, filters: int, strides: int, *, name: str) -> Tensor:
    shortcut = tensor
    if strides > 1 or filters != tensor.shape[-1]:
        shortcut = keras.layers.Conv2D(
            filters, 1, strides=strides, padding="same", name=f"{name}_shortcut_conv"
        )(shortcut)
    tensor = convolution(tensor, name=f"{name}_1", filters=filters, strides=strides)
    tensor = convolution(tensor, name=f"{name}_2", filters=filters, activation=None)
    tensor = keras.layers.Add(name=f"{name}_add")([shortcut, tensor])
    return activate(tensor, "relu", name=f"{name}_activation")
