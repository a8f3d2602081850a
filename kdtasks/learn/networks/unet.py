"""U-Net (arXiv 1505.04597), of any depth and width, built to survive int8.

Upsampling is nearest neighbour followed by a convolution: bilinear upsampling loses accuracy under
quantisation, and a transposed convolution does not fold its batch normalisation.
"""

from typing import ClassVar, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.errors import ModelError
from kdtasks.core.settings import Counts
from kdtasks.learn.networks import Architecture, Backbone, architectures
from kdtasks.learn.networks.layers import DropoutRate, convolution


@architectures.register
class UNet(Architecture):
    """U-Net: an encoder and a decoder joined by skips; heads give one logit vector a pixel."""

    per_pixel: ClassVar[bool] = True

    name: Literal["unet"] = "unet"
    filters: Counts = Field(
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
        skips: list[Tensor] = []
        tensor = image
        for level, filters in enumerate(self.filters):
            if level:
                tensor = keras.layers.MaxPooling2D(name=f"down_{level}_pool")(tensor)
            tensor = _double(tensor, f"down_{level}", filters, self.batch_normalization)
            skips.append(tensor)
        skips.pop()
        if self.dropout:
            tensor = keras.layers.Dropout(self.dropout, name="bottom_dropout")(tensor)
        taps: dict[str, tuple[Tensor, ...]] = {}
        for step, filters in enumerate(reversed(self.filters[:-1]), start=1):
            tensor = keras.layers.UpSampling2D(interpolation="nearest", name=f"up_{step}_upsample")(
                tensor
            )
            tensor = convolution(
                tensor,
                name=f"up_{step}_0",
                filters=filters,
                kernel_size=2,
                normalize=self.batch_normalization,
            )
            tensor = keras.layers.Concatenate(name=f"up_{step}_concatenate")([skips.pop(), tensor])
            tensor = _double(tensor, f"up_{step}", filters, self.batch_normalization)
            taps[f"up_{step}"] = (tensor, *skips)
        return Backbone(features=tensor, taps=taps)


def _double(tensor: Tensor, name: str, filters: int, normalize: bool) -> Tensor:
    for number in (1, 2):
        tensor = convolution(tensor, name=f"{name}_{number}", filters=filters, normalize=normalize)
    return tensor
