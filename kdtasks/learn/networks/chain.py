"""Networks that are a chain: a first convolution, and blocks after it."""

from abc import abstractmethod
from typing import Self

from pydantic import Field, model_validator

from kdtasks.core.backend import Tensor
from kdtasks.core.settings import Count, Counts
from kdtasks.learn.networks import Architecture
from kdtasks.learn.networks.layers import convolution


class Chain(Architecture):
    """A first convolution, and blocks in a chain."""

    stem: Count = Field(default=16, description="filters of the first convolution")
    filters: Counts = Field(
        min_length=1, description="filters of each block; a block is named `block_1`, `block_2` …"
    )
    strides: Counts = Field(
        min_length=1,
        description="by how much each block makes height and width smaller; as many as `filters`",
    )

    @model_validator(mode="after")
    def _one_stride_a_block(self) -> Self:
        if len(self.strides) != len(self.filters):
            raise ValueError(
                f"got {len(self.filters)} filters and {len(self.strides)} strides; give one of "
                "each for every block"
            )
        return self

    @abstractmethod
    def block(self, tensor: Tensor, filters: int, strides: int, *, name: str) -> Tensor:
        """Build a block; the names of its layers begin with its own."""

    def taps(self) -> list[str]:
        return ["stem", *(f"block_{number}" for number in range(1, len(self.filters) + 1))]

    def chain(self, image: Tensor) -> tuple[Tensor, dict[str, tuple[Tensor, ...]]]:
        """Build the first convolution and the blocks; give what comes out, and each as a tap."""
        tensor = convolution(image, name="stem", filters=self.stem)
        taps: dict[str, tuple[Tensor, ...]] = {"stem": (tensor,)}
        for name, *sizes in zip(self.taps()[1:], self.filters, self.strides, strict=True):
            tensor = self.block(tensor, *sizes, name=name)
            taps[name] = (tensor,)
        return tensor, taps
