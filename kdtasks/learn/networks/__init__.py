"""The networks of the zoo, one a file."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from kdtasks.core.errors import did_you_mean
from kdtasks.learn.networks.alexnet import AlexNetParams
from kdtasks.learn.networks.cnn import CnnParams
from kdtasks.learn.networks.mobilenet import MobileNetParams
from kdtasks.learn.networks.resnet import ResNet8Params, ResNetParams
from kdtasks.learn.networks.two_path import TwoPathParams
from kdtasks.learn.networks.unet import UNetParams

Architecture = Annotated[
    CnnParams
    | ResNet8Params
    | ResNetParams
    | MobileNetParams
    | TwoPathParams
    | AlexNetParams
    | UNetParams,
    Field(discriminator="name"),
]


def taps_of(architecture: "Architecture") -> list[str]:
    """Names of the blocks that can carry an early exit, in the network's order."""
    if isinstance(architecture, CnnParams):
        return [f"block_{number}" for number in range(1, len(architecture.filters) + 1)]
    if isinstance(architecture, ResNet8Params):
        return ["stem", "block_1", "block_2", "block_3"]
    if isinstance(architecture, ResNetParams | MobileNetParams):
        blocks = range(1, len(architecture.filters) + 1)
        return ["stem", *(f"block_{number}" for number in blocks)]
    if isinstance(architecture, TwoPathParams):
        lengths = {
            "trunk": len(architecture.trunk),
            "coarse": len(architecture.coarse),
            "fine": len(architecture.fine),
            "merged": len(architecture.merged) + 1,
        }
        parts = [f"{part}_{n}" for part, length in lengths.items() for n in range(1, length + 1)]
        return ["stem", *parts]
    if isinstance(architecture, AlexNetParams):
        return [f"block_{number}" for number in range(1, 6)]
    return [f"up_{number}" for number in range(1, len(architecture.filters))]


def check_exits(architecture: "Architecture", exits: Sequence[str]) -> None:
    """Refuse exits that name no block, stand twice or out of order.

    Raises:
        ValueError: the message lists the blocks.
    """
    taps = taps_of(architecture)
    for name in exits:
        check_block(architecture, name, key="student.exits")
    positions = [taps.index(name) for name in exits]
    if positions != sorted(set(positions)):
        raise ValueError(
            f"student.exits: got {list(exits)}; give each block once, in the order "
            f"{', '.join(taps)}"
        )


def check_block(architecture: "Architecture", name: str, *, key: str) -> None:
    """Refuse a name that no block of the network has; `key` is the params key it stands in.

    Raises:
        ValueError: the message lists the blocks.
    """
    taps = taps_of(architecture)
    if name not in taps:
        raise ValueError(
            f"{key}: {architecture.name} has no block {name!r}; "
            f"its blocks: {', '.join(taps)}{did_you_mean(name, taps)}"
        )
