"""AlexNet for 32×32 pictures, after B-AlexNet of BranchyNet (arXiv 1709.01686)."""

from typing import Annotated, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.settings import Section
from kdtasks.learn.networks.network import Backbone, DropoutRate, activate, convolution, share_of


class AlexNetParams(Section):
    """AlexNet for 32×32 pictures: five convolutions and two dense layers."""

    name: Literal["alexnet"]
    width: Annotated[float, Field(gt=0.0)] = Field(
        default=1.0, description="multiplies the filters 32, 64, 96, 96, 64 and the dense units 256"
    )
    dropout: DropoutRate = Field(default=0.5, description="dropout rate of the dense layers")


def alexnet(image: Tensor, params: AlexNetParams) -> Backbone:
    """Build five convolutions, three poolings and two dense layers; taps `block_1` … `block_5`.

    Arguments:
        image: [batch, height, width, channels], values 0…1.
    """
    tensor, taps = image, {}
    blocks = [(32, 5, True), (64, 5, True), (96, 3, False), (96, 3, False), (64, 3, True)]
    for block, (filters, kernel_size, pooled) in enumerate(blocks, start=1):
        tensor = convolution(
            tensor,
            name=f"block_{block}",
            filters=share_of(params.width, filters),
            kernel_size=kernel_size,
        )
        if pooled:
            tensor = keras.layers.MaxPooling2D(
                3, strides=2, padding="same", name=f"block_{block}_pool"
            )(tensor)
        taps[f"block_{block}"] = (tensor,)
    tensor = keras.layers.Flatten(name="top_flatten")(tensor)
    for number in (1, 2):
        tensor = keras.layers.Dense(share_of(params.width, 256), name=f"dense_{number}")(tensor)
        tensor = activate(tensor, "relu", name=f"dense_{number}_activation")
        tensor = keras.layers.Dropout(params.dropout, name=f"dense_{number}_dropout")(tensor)
    return Backbone(features=tensor, taps=taps)
