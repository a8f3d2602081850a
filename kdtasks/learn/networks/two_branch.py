"""A network with a quick answer and a careful one, of depthwise convolutions.

After a common trunk a coarse path works at half the height and width, with more filters, and has an
answer soon. A fine path goes on from the trunk, at its height and width; its features are halved in
turn, and those of the coarse path are added. An early exit thus looks at features made for an
answer, and what was computed for it is not lost: the idea of multi-scale dense networks (MSDNet,
arXiv 1703.09844), with two scales, and sums in place of concatenation.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.settings import Size, Sizes
from kdtasks.learn.networks import Architecture, Backbone, Taps, architectures
from kdtasks.learn.networks.layers import convolution
from kdtasks.learn.networks.mobilenet import inverted_residual


@architectures.register
class TwoBranch(Architecture):
    """A coarse path that answers soon, and a fine one that goes on and joins it."""

    scalable: ClassVar[tuple[str, ...]] = ("stem", "trunk", "coarse", "fine", "merged")
    deep: ClassVar[tuple[str, ...]] = ("trunk", "coarse", "fine", "merged")

    name: Literal["two_branch"] = "two_branch"
    stem: Size = Field(default=24, description="filters of the first convolution")
    trunk: Sizes = Field(
        min_length=1,
        description="filters of the blocks before the paths part, `trunk_1` …; the first halves "
        "height and width",
    )
    coarse: Sizes = Field(
        min_length=1,
        description="filters of the blocks of the coarse path, `coarse_1` …; the first halves "
        "height and width",
    )
    fine: Sizes = Field(
        min_length=1, description="filters of the blocks of the fine path, `fine_1` …"
    )
    merged: Sizes = Field(
        default=(),
        description="filters of blocks `merged_2` …; `merged_1` halves the fine path and adds the "
        "coarse one",
    )
    kernel_size: Size = Field(
        default=5,
        description="side of the depthwise kernels, in pixels; at the image's own height and "
        "width at most 3",
    )

    def _filters(self) -> dict[str, Sizes]:
        merged = (self.coarse[-1], *self.merged)
        return {"trunk": self.trunk, "coarse": self.coarse, "fine": self.fine, "merged": merged}

    def taps(self) -> list[str]:
        paths = self._filters().items()
        return ["stem", *(f"{path}_{n + 1}" for path, each in paths for n in range(len(each)))]

    def build(self, image: Tensor) -> Backbone:
        tensor = convolution(image, name="stem", filters=self.stem)
        taps: Taps = {"stem": (tensor,)}
        for name, trunk in self._blocks(tensor, "trunk"):
            taps[name] = (trunk,)
        for name, coarse in self._blocks(trunk, "coarse"):
            taps[name] = (coarse, trunk)
        for name, fine in self._blocks(trunk, "fine"):
            taps[name] = (fine, coarse)
        for name, merged in self._blocks(fine, "merged", coarse):
            taps[name] = (merged,)
        features = keras.layers.GlobalAveragePooling2D(name="top_average")(merged)
        return Backbone(features=features, taps=taps)

    def _blocks(
        self, tensor: Tensor, path: str, joining: Tensor | None = None
    ) -> Iterator[tuple[str, Tensor]]:
        """Build a path, whose first block halves but for the fine one's, and takes what joins."""
        for number, filters in enumerate(self._filters()[path], start=1):
            name, first = f"{path}_{number}", number == 1
            strides = 2 if first and path != "fine" else 1
            # At the image's own height and width a small kernel has to do.
            size = min(3, self.kernel_size) if name == "trunk_1" else self.kernel_size
            tensor = inverted_residual(tensor, filters, strides, name=name, kernel_size=size)
            if first and joining is not None:
                tensor = keras.layers.Add(name=f"{path}_add")([tensor, joining])
            yield name, tensor
