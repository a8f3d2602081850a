"""Small networks of blocks, with exits, that the tests of several packages build."""

from typing import Any

from kdtasks.learn.networks.build import HeadParams
from kdtasks.learn.networks.mobilenet import MobileNet
from kdtasks.learn.networks.resnet import ResNet
from kdtasks.learn.networks.two_branch import TwoBranch

# Name to architecture, input shape and exits.
BLOCKS: dict[str, tuple[Any, tuple[int, int, int], tuple[str, ...]]] = {
    "resnet": (
        ResNet(stem=4, filters=(6, 6, 8), strides=(2, 1, 2)),
        (16, 16, 3),
        ("block_1", "block_2"),
    ),
    "mobilenet": (
        MobileNet(stem=4, filters=(4, 6), strides=(1, 2), expansion=2),
        (16, 16, 3),
        ("block_1",),
    ),
    "two_branch": (
        TwoBranch(stem=4, trunk=(6,), coarse=(8, 8), fine=(6,), merged=(8,)),
        (16, 16, 3),
        ("coarse_2",),
    ),
}
HEADS = {"resnet": {"block_1": HeadParams(filters=5, grid=2)}}
