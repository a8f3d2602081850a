"""U-Net (arXiv 1505.04597), of any depth and width, built to survive int8.

Upsampling is nearest neighbour followed by a convolution: bilinear upsampling loses accuracy under
quantisation, and a transposed convolution does not fold its batch normalisation.
"""

from typing import Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.settings import Counts, Section
from kdtasks.learn.networks.network import Backbone, DropoutRate, convolution


class UNetParams(Section):
    """U-Net: an encoder and a decoder joined by skips; heads give one logit vector a pixel."""

    name: Literal["unet"]
    filters: Counts = Field(
        min_length=2, description="filters at each depth, from full resolution downwards"
    )
    dropout: DropoutRate = Field(default=0.0, description="dropout rate at the deepest level")
    batch_normalization: bool = Field(default=True, description="normalise after convolutions")


def unet(image: Tensor, params: UNetParams) -> Backbone:
    """Build encoder, decoder and skips; taps `up_1` (deepest) … `up_{depth−1}` (full resolution).

    Arguments:
        image: [batch, height, width, channels], values 0…1; height and width are multiples of
            2^(depth − 1).
    """
    skips: list[Tensor] = []
    tensor = image
    for level, filters in enumerate(params.filters):
        if level:
            tensor = keras.layers.MaxPooling2D(name=f"down_{level}_pool")(tensor)
        tensor = _double(tensor, f"down_{level}", filters, params.batch_normalization)
        skips.append(tensor)
    skips.pop()
    if params.dropout:
        tensor = keras.layers.Dropout(params.dropout, name="bottom_dropout")(tensor)
    taps: dict[str, tuple[Tensor, ...]] = {}
    for step, filters in enumerate(reversed(params.filters[:-1]), start=1):
        tensor = keras.layers.UpSampling2D(interpolation="nearest", name=f"up_{step}_upsample")(
            tensor
        )
        tensor = convolution(
            tensor,
            name=f"up_{step}_0",
            filters=filters,
            kernel_size=2,
            normalize=params.batch_normalization,
        )
        tensor = keras.layers.Concatenate(name=f"up_{step}_concatenate")([skips.pop(), tensor])
        tensor = _double(tensor, f"up_{step}", filters, params.batch_normalization)
        taps[f"up_{step}"] = (tensor, *skips)
    return Backbone(features=tensor, taps=taps)


def _double(tensor: Tensor, name: str, filters: int, normalize: bool) -> Tensor:
    for number in (1, 2):
        tensor = convolution(tensor, name=f"{name}_{number}", filters=filters, normalize=normalize)
    return tensor
