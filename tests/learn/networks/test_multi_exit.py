"""Cutting a network into segments changes none of its bits."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from kdtasks.core.backend import keras
from kdtasks.learn.networks import Architecture
from kdtasks.learn.networks.alexnet import AlexNet
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.multi_exit import MultiExitModel
from kdtasks.learn.networks.resnet import ResNet8
from kdtasks.learn.networks.two_branch import TwoBranch
from kdtasks.learn.networks.unet import UNet

Run = Callable[[MultiExitModel, np.ndarray], list[np.ndarray]]
Randomize = Callable[[MultiExitModel], MultiExitModel]
DrawImages = Callable[..., np.ndarray]

SMALL_CNN = CNN(filters=(4, 6, 8), dropout=0.2)
TWO_BRANCH = TwoBranch(stem=4, trunk=(6, 6), coarse=(8, 8), fine=(6, 6), merged=(8,))
UNET = UNet(filters=(3, 4, 5, 6), dropout=0.2)


def assert_equal_bits(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> None:
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("architecture", "exits"),
    [
        (SMALL_CNN, ()),
        (SMALL_CNN, ("block_2",)),
        (SMALL_CNN, ("block_1", "block_2", "block_3")),
        (ResNet8(width=0.5), ("stem", "block_1", "block_3")),
        (AlexNet(width=0.2), ("block_1", "block_4")),
        (TWO_BRANCH, ("coarse_2",)),
        (TWO_BRANCH, ("trunk_1", "coarse_1", "coarse_2", "fine_1", "merged_1")),
        (UNET, ()),
        (UNET, ("up_1",)),
        (UNET, ("up_2",)),
        (UNET, ("up_1", "up_3")),
        (UNET, ("up_1", "up_2", "up_3")),
    ],
)
def test_segments_in_a_chain_equal_the_flat_network(
    architecture: Architecture,
    exits: tuple[str, ...],
    randomize: Randomize,
    run_flat: Run,
    run_segments: Run,
    draw_images: DrawImages,
):
    model = randomize(build(architecture, input_shape=(16, 16, 3), num_classes=5, exits=exits))
    images = draw_images(16, 16, 3)
    flat = run_flat(model, images)
    assert np.isfinite(flat[-1]).all()
    assert np.std(flat[-1]) > 0
    assert_equal_bits(run_segments(model, images), flat)


def test_segments_of_a_chain_hand_on_one_tensor():
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=2, exits=["block_1", "block_2"])
    assert [(segment.takes, segment.gives) for segment in model.segments()] == [
        (("image",), ("features_0",)),
        (("features_0",), ("features_1",)),
        (("features_1",), ()),
    ]


def test_segments_of_a_unet_give_each_open_skip_once():
    model = build(UNET, input_shape=(16, 16, 1), num_classes=2, exits=["up_1", "up_2"])
    # After up_1 the skips of levels 0 and 1 are open; up_2 closes level 1, so level 0 stays.
    assert [(segment.takes, segment.gives) for segment in model.segments()] == [
        (("image",), ("features_0", "features_1", "features_2")),
        (("features_0", "features_2"), ("features_3",)),
        (("features_1", "features_3"), ()),
    ]


def skipping_network(taps: tuple[tuple[str, ...], ...]) -> MultiExitModel:
    """The output of `first` is needed by three later segments, the image itself by the last."""
    image = keras.Input((6, 6, 2), name="image")
    first = keras.layers.Conv2D(3, 3, padding="same", name="first")(image)
    second = keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="second")(first)
    joined = keras.layers.Add(name="joined")([first, second])
    third = keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="third")(joined)
    last = keras.layers.Concatenate(name="last")([third, first, image])

    def head(tensor: object, name: str) -> object:
        pooled = keras.layers.GlobalAveragePooling2D(name=f"{name}_pool")(tensor)
        return keras.layers.Dense(4, name=f"{name}_logits")(pooled)

    outputs = [head(first, "a"), head(second, "b"), head(third, "c"), head(last, "d")]
    return MultiExitModel(network=keras.Model(image, outputs), taps=taps)


def test_a_skip_may_serve_several_later_segments(
    randomize: Randomize, run_flat: Run, run_segments: Run, draw_images: DrawImages
):
    model = randomize(skipping_network((("first",), ("second", "first"), ("third", "first"))))
    assert [(segment.takes, segment.gives) for segment in model.segments()] == [
        (("image",), ("features_0",)),
        (("features_0",), ("features_1",)),
        (("features_0", "features_1"), ("features_2",)),
        (("image", "features_0", "features_2"), ()),
    ]
    images = draw_images(6, 6, 2)
    assert_equal_bits(run_segments(model, images), run_flat(model, images))


def test_segments_share_their_weights_with_the_network(
    randomize: Randomize, run_flat: Run, run_segments: Run, draw_images: DrawImages
):
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=2, exits=["block_1"])
    segments = model.segments()
    randomize(model)
    before = segments[1].model.get_weights()
    model.network.get_layer("block_2_1_conv").kernel.assign_add(
        np.ones_like(model.network.get_layer("block_2_1_conv").kernel)
    )
    after = segments[1].model.get_weights()
    assert any((old != new).any() for old, new in zip(before, after, strict=True))


def test_cutting_again_leaves_network_and_segments_as_they_were(
    randomize: Randomize, run_flat: Run, run_segments: Run, draw_images: DrawImages
):
    model = randomize(build(UNET, input_shape=(16, 16, 1), num_classes=2, exits=["up_1", "up_2"]))
    images = draw_images(16, 16, 1)
    once, macs = run_segments(model, images), model.macs()
    assert_equal_bits(run_segments(model, images), once)
    assert model.macs() == macs
    assert len(model.network.inputs) == 1


def test_images_are_scaled_inside_the_network(run_flat: Run):
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=2)
    scaled = keras.Model(model.network.input, model.network.get_layer("rescale").get_output_at(0))
    pixels = np.array([0.0, 51.0, 255.0], np.float32).reshape(3, 1, 1, 1) * np.ones((1, 8, 8, 1))
    np.testing.assert_allclose(scaled(pixels).numpy()[:, 0, 0, 0], [0.0, 0.2, 1.0], rtol=1e-6)
