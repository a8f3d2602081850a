"""The networks of the zoo, one a file."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from kdtasks.core.backend import Tensor
from kdtasks.core.errors import did_you_mean
from kdtasks.core.registry import Registry
from kdtasks.core.settings import Section

Taps = dict[str, tuple[Tensor, ...]]


@dataclass
class Backbone:
    """A network without heads.

    Attributes:
        features: the tensor that the last exit looks at.
        taps: block name to the tensors that the rest of the network needs after that block. The
            first is what an exit there looks at; a chain has just that one, a U-Net also its open
            skips.
    """

    features: Tensor
    taps: Taps = field(default_factory=dict)


class Architecture(Section):
    """What a network is built from.

    Attributes:
        per_pixel: whether it answers for each pixel, as masks want it, or for the whole image.
    """

    per_pixel: ClassVar[bool] = False

    name: str

    @abstractmethod
    def taps(self) -> list[str]:
        """Names of the blocks that can carry an early exit, in the network's order."""

    @abstractmethod
    def build(self, image: Tensor) -> Backbone:
        """Build the network without heads, every layer with a name.

        Args:
            image: [batch, height, width, channels], values 0…1.

        Raises:
            ModelError: the image's size does not suit the network.
        """

    def check_exits(self, exits: Sequence[str]) -> None:
        """Refuse exits that name no block, stand twice or out of order.

        Raises:
            ValueError: the message lists the blocks.
        """
        for name in exits:
            self.check_block(name, key="student.exits")
        taps = self.taps()
        if list(exits) != [name for name in taps if name in exits]:
            raise ValueError(
                f"student.exits: got {list(exits)}; give each block once, in the order "
                f"{', '.join(taps)}"
            )

    def check_block(self, name: str, *, key: str) -> None:
        """Refuse a name that no block of the network has; `key` is the params key it stands in.

        Raises:
            ValueError: the message lists the blocks.
        """
        taps = self.taps()
        if name not in taps:
            raise ValueError(
                f"{key}: {self.name} has no block {name!r}; "
                f"its blocks: {', '.join(taps)}{did_you_mean(name, taps)}"
            )


architectures = Registry("network", __name__, Architecture)
