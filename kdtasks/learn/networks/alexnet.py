"""AlexNet for 32×32 images, after B-AlexNet of BranchyNet (arXiv 1709.01686)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.learn.networks import Architecture, Backbone, architectures
from kdtasks.learn.networks.layers import DropoutRate, convolution, dense, scaled_filters


@architectures.register
class AlexNet(Architecture):
    """AlexNet for 32×32 images: five convolutions, three poolings and two dense layers."""

    scalable: ClassVar[tuple[str, ...]] = ("width",)

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
            name, count = f"block_{block}", scaled_filters(self.width, filters)
            tensor = convolution(tensor, name=name, filters=count, kernel_size=kernel_size)
            if pooled:
                pool = keras.layers.MaxPooling2D(3, 2, padding="same", name=f"{name}_pool")
                tensor = pool(tensor)
            taps[name] = (tensor,)
        tensor = keras.layers.Flatten(name="top_flatten")(tensor)
        units, dropout = scaled_filters(self.width, 256), self.dropout
        for name in ("dense_1", "dense_2"):
            tensor = dense(tensor, units, name=name, activation="relu", dropout=dropout)
        return Backbone(features=tensor, taps=taps)
