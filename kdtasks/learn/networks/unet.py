"""U-Net (arXiv 1505.04597), of any depth and width, built to survive int8.

Upsampling is nearest neighbour followed by a convolution: bilinear upsampling loses accuracy under
quantisation, and a transposed convolution does not fold its batch normalisation.
"""

from functools import partial
from typing import ClassVar, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.errors import ModelError
from kdtasks.core.settings import Sizes
from kdtasks.learn.networks import Architecture, Backbone, Taps, architectures
from kdtasks.learn.networks.layers import DropoutRate, convolution


@architectures.register
class UNet(Architecture):
    """U-Net: an encoder and a decoder joined by skips; heads give one logit vector a pixel."""

    per_pixel: ClassVar[bool] = True

    scalable: ClassVar[tuple[str, ...]] = ("filters",)
    deep: ClassVar[tuple[str, ...]] = ("filters",)

    name: Literal["unet"] = "unet"
    filters: Sizes = Field(
        min_length=2, description="filters at each depth, from full resolution downwards"
    )
    dropout: DropoutRate = Field(default=0.0, description="dropout rate at the deepest level")
    batch_normalization: bool = Field(default=True, description="normalise after convolutions")

    def taps(self) -> list[str]:
        return [f"up_{number}" for number in range(1, len(self.filters))]  # the deepest first

    def build(self, image: Tensor) -> Backbone:
        multiple, (height, width) = 2 ** (len(self.filters) - 1), image.shape[1:3]
        if height % multiple or width % multiple:
            raise ModelError(
                f"a unet of {len(self.filters)} levels needs height and width that are multiples "
                f"of {multiple}, got {height}×{width}; change data.source.patch_size or the "
                "number of filters"
            )
        convolve = partial(convolution, normalize=self.batch_normalization)
        skips: list[Tensor] = []
        tensor = image
        for level, filters in enumerate(self.filters):
            if level:
                tensor = keras.layers.MaxPooling2D(name=f"down_{level}_pool")(tensor)
            for number in (1, 2):
                tensor = convolve(tensor, name=f"down_{level}_{number}", filters=filters)
            skips.append(tensor)
        skips.pop()
        if self.dropout:
            tensor = keras.layers.Dropout(self.dropout, name="bottom_dropout")(tensor)
        taps: Taps = {}
        for name, filters in zip(self.taps(), reversed(self.filters[:-1]), strict=True):
            upsample = keras.layers.UpSampling2D(interpolation="nearest", name=f"{name}_upsample")
            tensor = convolve(upsample(tensor), name=f"{name}_0", filters=filters, kernel_size=2)
            tensor = keras.layers.Concatenate(name=f"{name}_concatenate")([skips.pop(), tensor])
            for number in (1, 2):
                tensor = convolve(tensor, name=f"{name}_{number}", filters=filters)
            taps[name] = (tensor, *skips)
        return Backbone(features=tensor, taps=taps)
