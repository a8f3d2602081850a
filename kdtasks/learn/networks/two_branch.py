"""A network with a quick answer and a careful one, of depthwise convolutions.

After a common trunk a coarse path works at half the height and width, with more filters, and has an
answer soon. A fine path goes on from the trunk, at its height and width; its features are halved in
turn, and those of the coarse path are added. An early exit thus looks at features made for an
answer, and what was computed for it is not lost: the idea of multi-scale dense networks (MSDNet,
arXiv 1703.09844), with two scales, and sums in place of concatenation.
"""

from typing import Annotated, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.settings import Count, Counts
from kdtasks.learn.networks import Architecture, Backbone, architectures
from kdtasks.learn.networks.layers import convolution
from kdtasks.learn.networks.mobilenet import inverted_residual


@architectures.register
class TwoBranch(Architecture):
    """A coarse path that answers soon, and a fine one that goes on and joins it."""

    name: Literal["two_branch"] = "two_branch"
    stem: Count = Field(default=24, description="filters of the first convolution")
    trunk: Counts = Field(
        min_length=1,
        description="filters of the blocks before the paths part, `trunk_1` …; the first halves "
        "height and width",
    )
    coarse: Counts = Field(
        min_length=1,
        description="filters of the blocks of the coarse path, `coarse_1` …; the first halves "
        "height and width",
    )
    fine: Counts = Field(
        min_length=1, description="filters of the blocks of the fine path, `fine_1` …"
    )
    merged: Annotated[tuple[Count, ...], Field(strict=False)] = Field(
        default=(),
        description="filters of the blocks, `merged_2` …, after `merged_1`, where the fine path is "
        "halved and the coarse one is added",
    )
    kernel_size: Count = Field(
        default=5,
        description="side of the depthwise kernels, in pixels; at the image's own height and "
        "width at most 3",
    )

    def taps(self) -> list[str]:
        lengths = {
            "trunk": len(self.trunk),
            "coarse": len(self.coarse),
            "fine": len(self.fine),
            "merged": len(self.merged) + 1,
        }
        parts = [f"{part}_{n}" for part, length in lengths.items() for n in range(1, length + 1)]
        return ["stem", *parts]

    def build(self, image: Tensor) -> Backbone:
        tensor = convolution(image, name="stem", filters=self.stem)
        taps: dict[str, tuple[Tensor, ...]] = {"stem": (tensor,)}
        for number, filters in enumerate(self.trunk, start=1):
            first = number == 1
            # At the image's own height and width a small kernel has to do.
            size = min(3, self.kernel_size) if first else self.kernel_size
            tensor = inverted_residual(
                tensor,
                name=f"trunk_{number}",
                filters=filters,
                strides=2 if first else 1,
                kernel_size=size,
            )
            taps[f"trunk_{number}"] = (tensor,)
        trunk = tensor
        for number, filters in enumerate(self.coarse, start=1):
            tensor = self._block(tensor, "coarse", number, filters)
            taps[f"coarse_{number}"] = (tensor, trunk)
        coarse, tensor = tensor, trunk
        for number, filters in enumerate(self.fine, start=1):
            tensor = inverted_residual(
                tensor, name=f"fine_{number}", filters=filters, kernel_size=self.kernel_size
            )
            taps[f"fine_{number}"] = (tensor, coarse)
        for number, filters in enumerate((self.coarse[-1], *self.merged), start=1):
            tensor = self._block(tensor, "merged", number, filters)
            if number == 1:
                tensor = keras.layers.Add(name="merged_add")([tensor, coarse])
            taps[f"merged_{number}"] = (tensor,)
        features = keras.layers.GlobalAveragePooling2D(name="top_average")(tensor)
        return Backbone(features=features, taps=taps)

    def _block(self, tensor: Tensor, path: str, number: int, filters: int) -> Tensor:
        """A block of a path whose first halves height and width."""
        return inverted_residual(
            tensor,
            name=f"{path}_{number}",
            filters=filters,
            strides=2 if number == 1 else 1,
            kernel_size=self.kernel_size,
        )
