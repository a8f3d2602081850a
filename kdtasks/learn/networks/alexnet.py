"""AlexNet for 32×32 images, after B-AlexNet of BranchyNet (arXiv 1709.01686)."""

from typing import Annotated, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.learn.networks import Architecture, Backbone, architectures
from kdtasks.learn.networks.layers import DropoutRate, activate, convolution, share_of


@architectures.register
class AlexNet(Architecture):
    """AlexNet for 32×32 images: five convolutions, three poolings and two dense layers."""

    name: Literal["alexnet"] = "alexnet"
    width: Annotated[float, Field(gt=0.0)] = Field(
        default=1.0, description="multiplies the filters 32, 64, 96, 96, 64 and the dense units 256"
    )
    dropout: DropoutRate = Field(default=0.5, description="dropout rate of the dense layers")

    def taps(self) -> list[str]:
        return [f"block_{number}" for number in range(1, 6)]

    def build(self, image: Tensor) -> Backbone:
        tensor, taps = image, {}
        blocks = [(32, 5, True), (64, 5, True), (96, 3, False), (96, 3, False), (64, 3, True)]
        for block, (filters, kernel_size, pooled) in enumerate(blocks, start=1):
            tensor = convolution(
                tensor,
                name=f"block_{block}",
                filters=share_of(self.width, filters),
                kernel_size=kernel_size,
            )
            if pooled:
                tensor = keras.layers.MaxPooling2D(
                    3, strides=2, padding="same", name=f"block_{block}_pool"
                )(tensor)
            taps[f"block_{block}"] = (tensor,)
        tensor = keras.layers.Flatten(name="top_flatten")(tensor)
        for number in (1, 2):
            tensor = keras.layers.Dense(share_of(self.width, 256), name=f"dense_{number}")(tensor)
            tensor = activate(tensor, "relu", name=f"dense_{number}_activation")
            tensor = keras.layers.Dropout(self.dropout, name=f"dense_{number}_dropout")(tensor)
        return Backbone(features=tensor, taps=taps)
