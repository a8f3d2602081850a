"""Networks that see something else than the images that they are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdtasks.core.reproducibility import generator
from kdtasks.evaluate.corruptions import corrupt
from kdtasks.evaluate.settings import CorruptionName, EvaluateParams

# From uint8 images [N, height, width, channels] to the last exit's logits [N, …, classes].
Network = Callable[[Any], NDArray[Any]]
# Opens a network when it is its turn.
Opener = Callable[[], Network]

# Pixels that are damaged at a time, as numbers of 8 bytes.
_PART = 2**22


@dataclass(frozen=True)
class TeacherNetwork:
    """A teacher that answers a split.

    Attributes:
        run: from the images that it sees to logits.
        to_inputs: from the split's images to those, which may have another size.
        uses_pixels: whether it looks at them; a file of answers does not.
        folders: as `to_inputs`, of the images of further test folders, by name.
    """

    run: Network
    to_inputs: Callable[[Any], Any]
    uses_pixels: bool
    folders: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)

    def __call__(self, images: Any) -> NDArray[Any]:
        """Answer the images of the split."""
        return self.run(self.to_inputs(images))


def on_folder(network: Network, name: str) -> Network:
    """Give the network that answers a further test folder; a teacher sees its own images of it."""
    if isinstance(network, TeacherNetwork):
        return replace(network, to_inputs=network.folders[name])
    return network


def slice_views(settings: EvaluateParams) -> dict[str, Callable[[Network], Network]]:
    """Give what every slice puts before a network, by the slice's name: `jpeg 3`.

    A view is of one walk through the split, in order: each walk, of whatever network, draws the
    same noise for the same image.
    """

    def view(name: CorruptionName, severity: int) -> Callable[[Network], Network]:
        return lambda network: _corrupted(network, name, severity, settings.seed)

    return {
        f"{name} {severity}": view(name, severity)
        for name in settings.slices.corruptions
        for severity in settings.slices.severities
    }


def _corrupted(network: Network, name: CorruptionName, severity: int, seed: int) -> Network:
    """Damage what a network sees; a teacher's own images at their own size."""
    if isinstance(network, TeacherNetwork):
        return replace(network, run=_corrupted(network.run, name, severity, seed))
    draw = generator(f"corruption {name}", seed, severity)

    def run(images: Any) -> NDArray[Any]:
        rows = max(1, _PART // int(np.prod(images.shape[1:])))
        return np.concatenate(
            [
                network(corrupt(images[start : start + rows], name, severity, draw))
                for start in range(0, len(images), rows)
            ]
        )

    return run
