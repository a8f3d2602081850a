"""The networks of the zoo, one a file."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from kdtasks.core.backend import Tensor, keras
from kdtasks.core.errors import did_you_mean
from kdtasks.core.registry import Registry
from kdtasks.core.settings import Section

Taps = dict[str, tuple[Tensor, ...]]
Layers = dict[str, Any]  # of a network in a file: Keras's own description, as JSON


@dataclass
class Backbone:
    """A network without heads.

    Attributes:
        features: the tensor that the last exit looks at.
        taps: block name to the tensors that the rest of the network needs after that block. The
            first is what an exit there looks at; a chain has just that one, a U-Net also its open
            skips.
        gives_logits: whether `features` are the logits already, so that no head is put on them.
    """

    features: Tensor
    taps: Taps = field(default_factory=dict)
    gives_logits: bool = False


class Architecture(Section):
    """What a network is built from.

    Attributes:
        per_pixel: whether it answers for each pixel, as masks want it, or for the whole image;
            None where it may do either.
        scalable: names of the fields that count filters or units, or multiply them: the width.
        deep: names of the fields that count layers, or have an item for each: the depth.
    """

    per_pixel: ClassVar[bool | None] = False
    scalable: ClassVar[tuple[str, ...]] = ()
    deep: ClassVar[tuple[str, ...]] = ()

    name: str

    @abstractmethod
    def taps(self) -> list[str] | None:
        """Names of the blocks that can carry an early exit, in the network's order.

        None where they are known once the network is built; a wrong name is then refused there.
        """

    @abstractmethod
    def build(self, image: Tensor) -> Backbone:
        """Build the network without heads, every layer with a name.

        Args:
            image: [batch, height, width, channels], values 0…1.

        Raises:
            ModelError: the image's size does not suit the network.
        """

    def scaled(self, width: float) -> Self:
        """Give the same network with all its filters and units times a number, at least one each.

        Raises:
            ValueError: it cannot be scaled.
        """
        if not self.scalable:
            raise ValueError(
                f"{self.name} cannot be scaled by one number; say the student's network itself"
            )
        settings = self.model_dump()
        for key in self.scalable:
            settings[key] = _scaled(settings[key], width)
        return type(self).model_validate(settings)

    def deepened(self, layers: int) -> Self:
        """Give the same network with so many more layers, or fewer, but at least one each.

        Lists of filters repeat their last item, or lose it.

        Raises:
            ValueError: its depth cannot be changed.
        """
        if not self.deep:
            raise ValueError(
                f"{self.name} has one depth; set search.student.depths to [0], or choose a network "
                "whose blocks are listed"
            )
        settings = self.model_dump()
        for key in self.deep:
            settings[key] = _deepened(settings[key], layers)
        return type(self).model_validate(settings)

    def read_layers(self, folder: Path) -> Layers | None:
        """Read what of the network stands in a file: layers, as JSON; None where nothing does.

        Args:
            folder: what DVC watches: `student.start`, or `teacher.path`.

        Raises:
            ModelError: the file is missing, unsafe, or holds no such network.
        """
        return None

    def files(self, folder: Path) -> list[Path]:
        """The files that `read_layers` and `load_weights` open."""
        return []

    def build_of(self, layers: Layers, image: Tensor) -> Backbone:
        """Build the network that `read_layers` found; otherwise like `build`."""
        raise TypeError(f"{self.name} reads layers, so it has to define build_of as well")

    def scale(self, pixels: Tensor, layers: Layers | None = None) -> Tensor:
        """Bring pixels 0…255 to what `build`, or `build_of` for these layers, takes."""
        return keras.layers.Rescaling(1.0 / 255.0, name="rescale")(pixels)

    def load_weights(self, network: Any, folder: Path) -> set[str]:
        """Give a network that was built the weights that its training begins with.

        Here all stay random.

        Args:
            network: a `keras.Model`.
            folder: as of `read_layers`.

        Returns: names of the layers that have trained weights now.

        Raises:
            ModelError: there are no such weights, or they do not fit.
        """
        return set()

    def check_exits(self, exits: Sequence[str], taps: Sequence[str] | None = None) -> None:
        """Refuse exits that name no block, stand twice or out of order.

        Args:
            taps: the network's, once it is built.

        Raises:
            ValueError: the message lists the blocks.
        """
        taps = taps or self.taps()
        if taps is None:
            return
        for name in exits:
            self.check_block(name, key="student.exits", taps=taps)
        if list(exits) != [name for name in taps if name in exits]:
            raise ValueError(
                f"student.exits: got {list(exits)}; give each block once, in the order "
                f"{', '.join(taps)}"
            )

    def check_block(self, name: str, *, key: str, taps: Sequence[str] | None = None) -> None:
        """Refuse a name that no block of the network has; `key` is the params key it stands in.

        Args:
            taps: as for `check_exits`.

        Raises:
            ValueError: the message lists the blocks.
        """
        taps = taps or self.taps()
        if taps is not None and name not in taps:
            raise ValueError(
                f"{key}: {self.name} has no block {name!r}; "
                f"its blocks: {', '.join(taps)}{did_you_mean(name, taps)}"
            )


def _scaled(value: Any, width: float) -> Any:
    """Counts of filters times a number; a factor of them likewise."""
    if isinstance(value, tuple | list):
        return tuple(_scaled(count, width) for count in value)
    if value is None:
        return None
    return max(1, round(width * value)) if isinstance(value, int) else width * value


def _deepened(value: Any, layers: int) -> Any:
    """A count of layers, or what lists one item for each."""
    if isinstance(value, int):
        return max(1, value + layers)
    return value[: min(len(value), max(1, len(value) + layers))] + value[-1:] * max(0, layers)


architectures = Registry("network", __name__, Architecture)
