"""Every network of the zoo, with exits at each of its places."""

import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest

from kdtasks.core.errors import ModelError
from kdtasks.learn.networks import Architecture, architectures
from kdtasks.learn.networks.alexnet import AlexNet
from kdtasks.learn.networks.build import HeadParams, build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.efficientnet_lite import EfficientNetLite0
from kdtasks.learn.networks.mobilenet import MobileNet
from kdtasks.learn.networks.pretrained import Pretrained
from kdtasks.learn.networks.resnet import ResNet, ResNet8
from kdtasks.learn.networks.two_branch import TwoBranch
from kdtasks.learn.networks.unet import UNet

SMALL_CNN = CNN(filters=(4, 6, 8), dropout=0.1, dense=(5,))
ZOO: list[tuple[Architecture, tuple[str, ...]]] = [
    (SMALL_CNN, ("block_1", "block_2", "block_3")),
    (
        SMALL_CNN.model_copy(
            update={"top": "flatten", "downsampling": "strides", "activation": "leaky_relu"}
        ),
        ("block_1", "block_2", "block_3"),
    ),
    (ResNet8(width=0.25), ("stem", "block_1", "block_2", "block_3")),
    (
        ResNet(stem=3, filters=(4, 4, 6, 6), strides=(1, 1, 2, 1)),
        ("stem", "block_1", "block_2", "block_3", "block_4"),
    ),
    (
        MobileNet(stem=3, filters=(4, 4, 6), strides=(1, 1, 2), top=5),
        ("stem", "block_1", "block_2", "block_3"),
    ),
    (
        TwoBranch(trunk=(4, 4), coarse=(6, 5), fine=(4, 3), merged=(7,)),
        (
            *("stem", "trunk_1", "trunk_2", "coarse_1", "coarse_2"),
            *("fine_1", "fine_2", "merged_1", "merged_2"),
        ),
    ),
    (
        AlexNet(width=0.1),
        ("block_1", "block_2", "block_3", "block_4", "block_5"),
    ),
    (UNet(filters=(2, 3, 4, 5), dropout=0.1), ("up_1", "up_2", "up_3")),
]
NAMES = [
    *("cnn", "cnn_strides", "resnet8", "resnet"),
    *("mobilenet", "two_branch", "alexnet", "unet"),
]


@pytest.mark.parametrize(("architecture", "taps"), ZOO, ids=NAMES)
def test_an_exit_may_be_at_any_one_place(architecture: Architecture, taps: tuple[str, ...]):
    for tap in taps:
        model = build(architecture, input_shape=(16, 16, 3), num_classes=7, exits=[tap])
        assert model.num_exits == 2
        assert len(model.segments()) == 2


@pytest.mark.parametrize(("architecture", "taps"), ZOO, ids=NAMES)
def test_exits_may_be_at_all_places_and_layers_bear_the_same_names_in_every_model(
    architecture: Architecture, taps: tuple[str, ...]
):
    model, second = (
        build(architecture, input_shape=(16, 16, 3), num_classes=7, exits=taps) for _ in range(2)
    )
    assert [layer.name for layer in model.network.layers] == [
        layer.name for layer in second.network.layers
    ]
    assert model.num_exits == len(taps) + 1
    assert model.input_shape == (16, 16, 3)
    rows = (16, 16) if architecture.name == "unet" else ()
    assert [tuple(output.shape[1:]) for output in model.network.outputs] == [
        (*rows, 7)
    ] * model.num_exits
    costs = model.macs()
    assert len(costs) == model.num_exits
    assert all(earlier < later for earlier, later in itertools.pairwise(costs))


@pytest.mark.parametrize("size", [(1, 1), (5, 7)])
def test_chains_take_images_of_any_size(size: tuple[int, int]):
    for architecture, taps in ZOO[:-1]:
        model = build(architecture, input_shape=(*size, 1), num_classes=2, exits=taps)
        assert {tuple(output.shape) for output in model.network.outputs} == {(None, 2)}


def test_a_image_need_not_be_square_for_a_unet():
    model = build(ZOO[-1][0], input_shape=(16, 24, 3), num_classes=2, exits=("up_1", "up_3"))
    assert {tuple(output.shape) for output in model.network.outputs} == {(None, 16, 24, 2)}


@pytest.mark.parametrize(
    ("exits", "message"),
    [
        (
            ("block_4",),
            "student.exits: cnn has no block 'block_4'; its blocks: block_1, block_2, block_3; "
            "did you mean 'block_3'?",
        ),
        (("blok_1",), "did you mean 'block_1'?"),
        (("middle",), "no block 'middle'; its blocks: block_1, block_2, block_3"),
        (
            ("block_2", "block_1"),
            "got ['block_2', 'block_1']; give each block once, in the order "
            "block_1, block_2, block_3",
        ),
        (("block_1", "block_1"), "got ['block_1', 'block_1']; give each block once"),
    ],
)
def test_exits_that_cannot_be_are_refused(exits: tuple[str, ...], message: str):
    with pytest.raises(ModelError, match=re.escape(message)):
        build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=2, exits=exits)


def test_a_leaky_relu_behind_the_pooling_is_the_same_function():
    from kdtasks.core.backend import keras

    params = CNN(filters=(4, 6), activation="leaky_relu", convolutions=2)
    network = build(params, input_shape=(16, 16, 3), num_classes=7).network
    order = [layer.name for layer in network.layers if layer.name.startswith("block_1_2")]
    assert order == ["block_1_2_conv", "block_1_2_norm", "block_1_2_activation"]
    normed = network.get_layer("block_1_2_norm").output
    activated = keras.layers.LeakyReLU(0.2)(normed)
    usual = keras.Model(network.inputs, keras.layers.MaxPooling2D(padding="same")(activated))
    ours = keras.Model(network.inputs, network.get_layer("block_1_2_activation").output)
    images = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)
    np.testing.assert_array_equal(ours(images), usual(images))
    assert (ours(images).numpy() < 0).any()


def test_a_block_that_changes_nothing_in_shape_adds_its_input_as_it_is():
    model = build(ZOO[3][0], input_shape=(16, 16, 3), num_classes=7)
    shortcuts = [layer.name for layer in model.network.layers if "shortcut" in layer.name]
    assert shortcuts == ["block_1_shortcut_conv", "block_3_shortcut_conv"]


def test_a_head_convolves_and_averages_as_told():
    model = build(
        SMALL_CNN,
        input_shape=(16, 16, 3),
        num_classes=7,
        exits=("block_1", "block_2"),
        heads={"block_1": HeadParams(filters=5, grid=2)},
    )
    layers = {layer.name: layer for layer in model.network.layers}
    assert layers["exit_0_conv"].output_shape == (None, 4, 4, 5)  # of 8×8 features
    assert layers["exit_0_pool"].output_shape == (None, 2, 2, 5)
    assert layers["exit_1_pool"].output_shape == (None, 4, 4, 6)
    assert "exit_1_conv" not in layers
    assert layers["exit_0_logits"].kernel.shape == (2 * 2 * 5, 7)


@pytest.mark.parametrize(("grid", "side"), [(1, 1), (2, 2), (4, 4), (9, 4)])
def test_a_grid_is_at_most_as_fine_as_the_features(grid: int, side: int):
    heads = {"block_1": HeadParams(grid=grid)}
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=2, exits=("block_1",), heads=heads)
    assert model.network.get_layer("exit_0_pool").output_shape[1] == side


def test_a_name_like_no_other_gets_no_hint():
    with pytest.raises(ModelError) as raised:
        build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=2, exits=["zzz"])
    assert "did you mean" not in str(raised.value)


@pytest.mark.parametrize("size", [(12, 16), (16, 12)])
def test_a_unet_refuses_sizes_that_it_cannot_halve(size: tuple[int, int]):
    message = re.escape(f"4 levels needs height and width that are multiples of 8, got {size[0]}×")
    with pytest.raises(ModelError, match=message):
        build(ZOO[-1][0], input_shape=(*size, 1), num_classes=2)


def test_an_inverted_residual_widens_convolves_each_channel_and_adds_what_came_in():
    params = MobileNet(stem=4, filters=(4, 6), strides=(1, 2), expansion=3, kernel_size=5)
    model = build(params, input_shape=(16, 16, 3), num_classes=7)
    layers = {layer.name: layer for layer in model.network.layers}
    assert layers["block_1_expand_conv"].output_shape == (None, 16, 16, 12)
    assert layers["block_1_depthwise_conv"].depthwise_kernel.shape == (5, 5, 12, 1)
    added = [layer.name for layer in model.network.layers if layer.name.endswith("_add")]
    assert added == ["block_1_add"]
    # nothing bends what comes out: it may be negative
    images = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype(np.float32)
    hidden, _ = model.tapped(["block_2"])(images)[::-1]
    assert (hidden[0].numpy() < 0).any()


def test_kernels_of_one_channel_begin_as_large_as_others():
    params = MobileNet(stem=64, filters=(64,), strides=(1,), expansion=1)
    network = build(params, input_shape=(16, 16, 3), num_classes=7).network
    kernel = network.get_layer("block_1_depthwise_conv").depthwise_kernel.numpy()
    # variance 2/9 before what lies beyond two standard deviations is drawn again: 0.774 · 2/9
    assert kernel.std() == pytest.approx(0.88 * np.sqrt(2) / 3, rel=0.1)


def test_a_two_branch_network_answers_early_without_the_fine_path():
    params = TwoBranch(trunk=(4,), coarse=(6,), fine=(4, 4), merged=(5,))
    model = build(params, input_shape=(16, 16, 3), num_classes=7, exits=["coarse_1"])
    first, second = model.segments()
    names = [layer.name for layer in first.model.layers]
    assert not [name for name in names if name.startswith(("fine", "merged"))]
    assert first.gives == second.takes == ("features_0", "features_1")
    # the features of the coarse path are used again, at its height and width
    assert model.network.get_layer("merged_add").output_shape == (None, 4, 4, 6)
    fine = model.network.get_layer("fine_2_add")
    assert fine.output_shape == (None, 8, 8, 4)


def test_a_project_adds_a_network(extended: Callable[[str, str], str]):
    extension = '''
        """One layer."""

        from typing import Literal

        from pydantic import Field

        from kdtasks.core.backend import keras
        from kdtasks.core.settings import Count
        from kdtasks.learn.networks import Architecture, Backbone, architectures


        @architectures.register
        class Perceptron(Architecture):
            """A hidden layer between pixels and classes."""

            name: Literal["perceptron"] = "perceptron"
            units: Count = Field(default=8, description="units of the hidden layer")

            def taps(self):
                return []

            def build(self, image):
                flat = keras.layers.Flatten(name="flatten")(image)
                return Backbone(keras.layers.Dense(self.units, "relu", name="hidden")(flat))
    '''
    script = """
        from pathlib import Path

        from kdtasks.learn.networks.build import build
        from kdtasks.learn.networks.saved import load_model, save_model
        from kdtasks.learn.training.settings import StudentParams

        student = StudentParams.model_validate({"model": {"name": "perceptron", "units": 3}})
        model = build(student.model, input_shape=(2, 2, 1), num_classes=5)
        save_model(Path("saved"), model)
        print(model.macs(), load_model(Path("saved")).macs())
    """
    assert extended(extension, script).split("\n")[0] == "[27] [27]"


def test_names_of_taps_are_those_of_the_backbone():
    for name, (architecture, taps) in zip(NAMES, ZOO, strict=True):
        assert architecture.taps() == list(taps), name
    # Those of files and of Keras know their taps once they are built.
    elsewhere = {each for each in architectures if issubclass(each, Pretrained | EfficientNetLite0)}
    assert {type(architecture) for architecture, _ in ZOO} == set(architectures) - elsewhere
