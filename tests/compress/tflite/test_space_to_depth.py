"""Files whose convolutions work on blocks of pixels: the same bits, and reasons why not."""

import numpy as np
import pytest

from kdtasks.compress.passes.space_to_depth import SpaceToDepth
from kdtasks.compress.tflite.graph import read_graphs
from kdtasks.core.errors import ExportError
from kdtasks.edge.segments import Segments

# The converter says so of every int8 file, and means the ranges of a format of long ago.
pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")


@pytest.mark.parametrize(
    ("name", "raw_pixels"),
    [
        ("cnn", True),
        ("resnet", False),
        pytest.param("alexnet", False, marks=pytest.mark.slow),
        pytest.param("unet", True, marks=pytest.mark.slow),
    ],
)
def test_int8_files_keep_every_bit(name, raw_pixels, network, draw_images):
    from kdtasks.compress.convert import convert

    model = network(name)
    images = draw_images(model, 12)
    plain = convert(model, number_format="int8", representative=images, raw_pixels=raw_pixels)
    for max_channels in (4, 16):
        blocked = SpaceToDepth(max_channels=max_channels).rewrite(plain)
        np.testing.assert_array_equal(
            Segments(blocked).logits_of(images), Segments(plain).logits_of(images)
        )
        names = [operator.name for graph in read_graphs(blocked) for operator in graph.operators]
        assert "SPACE_TO_DEPTH" in names


def converted(*layers, side=8, channels=3, number_format="int8"):
    """The file of a chain of layers."""
    from kdtasks.compress.convert import convert
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = tensor = keras.Input((side, side, channels), name="image")
    for layer in layers:
        tensor = layer(tensor)
    model = MultiExitModel(keras.Model(image, keras.layers.Flatten()(tensor)))
    images = np.random.default_rng(0).integers(0, 256, (8, side, side, channels), np.uint8)
    return convert(model, number_format=number_format, representative=images)


def convolution(filters=4, kernel_size=3, **options):
    from kdtasks.core.backend import keras

    return keras.layers.Conv2D(filters, kernel_size, **{"padding": "same", **options})


def test_a_convolution_without_bias_is_rewritten_too():
    (graph,) = read_graphs(SpaceToDepth().rewrite(converted(convolution(use_bias=False))))
    assert [operator.name for operator in graph.operators][:2] == ["SPACE_TO_DEPTH", "CONV_2D"]


def test_dynamic_int8_keeps_its_answers():
    plain = converted(convolution(32, 5), number_format="dynamic_int8")
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    expected = Segments(plain).logits_of(images)
    np.testing.assert_allclose(
        Segments(SpaceToDepth().rewrite(plain)).logits_of(images),
        expected,
        atol=1e-4 * abs(expected).max(),
    )


def test_small_kernels_that_dynamic_int8_leaves_float_stay(network):
    from kdtasks.compress.convert import convert

    with pytest.raises(ExportError, match="does not have int8 weights, which alone gain by it"):
        SpaceToDepth().rewrite(convert(network("resnet"), number_format="dynamic_int8"))


def test_blocks_that_the_network_itself_gives_are_still_given():
    from kdtasks.compress.convert import convert
    from kdtasks.core.backend import keras, tf
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = keras.Input((8, 8, 3), name="image")
    blocks = keras.layers.Lambda(lambda tensor: tf.nn.space_to_depth(tensor, 2))(
        convolution()(image)
    )
    model = MultiExitModel(keras.Model(image, blocks))
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    plain = convert(model, number_format="int8", representative=images)
    np.testing.assert_array_equal(
        Segments(SpaceToDepth().rewrite(plain)).logits_of(images), Segments(plain).logits_of(images)
    )


def test_blocks_stay_blocks_from_one_convolution_to_the_next():
    content = converted(convolution(activation="relu"), convolution(5))
    (graph,) = read_graphs(SpaceToDepth().rewrite(content))
    assert [operator.name for operator in graph.operators] == [
        "SPACE_TO_DEPTH", "CONV_2D", "CONV_2D", "DEPTH_TO_SPACE", "RESHAPE"
    ]  # fmt: skip
    # 16 positions, 9 taps: 12 channels to 4 · 4 filters, 16 channels to 4 · 5.
    assert graph.macs == 16 * 9 * (12 * 16 + 16 * 20)


def test_pixels_that_something_else_takes_are_still_made():
    from kdtasks.core.backend import keras

    image = keras.Input((8, 8, 3), name="image")
    first = convolution()(image)
    second = convolution(4)(first)
    joined = keras.layers.Flatten()(keras.layers.Add()([first, second]))
    from kdtasks.compress.convert import convert
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    model = MultiExitModel(keras.Model(image, joined))
    plain = convert(model, number_format="int8", representative=images)
    blocked = SpaceToDepth().rewrite(plain)
    np.testing.assert_array_equal(
        Segments(blocked).logits_of(images), Segments(plain).logits_of(images)
    )
    names = [operator.name for operator in read_graphs(blocked)[0].operators]
    assert names.count("SPACE_TO_DEPTH") == 1
    assert names.count("DEPTH_TO_SPACE") == 2


def test_the_networks_own_blocks_of_another_size_stay():
    from kdtasks.core.backend import keras, tf

    bigger = keras.layers.Lambda(lambda tensor: tf.nn.depth_to_space(tensor, 3))
    smaller = keras.layers.Lambda(lambda tensor: tf.nn.space_to_depth(tensor, 3))
    plain = converted(convolution(9), bigger, smaller)
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    blocked = SpaceToDepth().rewrite(plain)
    np.testing.assert_array_equal(
        Segments(blocked).logits_of(images), Segments(plain).logits_of(images)
    )
    names = [operator.name for operator in read_graphs(blocked)[0].operators]
    assert (names.count("SPACE_TO_DEPTH"), names.count("DEPTH_TO_SPACE")) == (2, 2)


def test_a_second_time_changes_nothing_more():
    once = SpaceToDepth().rewrite(converted(convolution()))
    with pytest.raises(ExportError, match="takes 12 channels, at most 4 are allowed"):
        SpaceToDepth().rewrite(once)


def test_old_weights_do_not_stay_in_the_file():
    content = converted(convolution(32, 5))
    # 32 · 5 · 5 · 3 weights become 128 · 3 · 3 · 12; biases, scales and zero points, 96 of each,
    # and tables come to less than 4 kB.
    assert len(SpaceToDepth().rewrite(content)) - len(content) < 128 * 108 - 32 * 75 + 4_000


@pytest.mark.parametrize(
    ("layer", "side", "channels", "reason"),
    [
        ({}, 8, 5, r"3×3×5×4 over 8×8 pixels takes 5 channels, at most 4 are allowed"),
        ({}, 7, 3, r"over 7×7 pixels needs an even height and width"),
        ({"padding": "valid"}, 8, 3, "does not pad its input, which it must"),
        ({"strides": 3}, 8, 3, r"has strides \(3, 3\), which must both be 1 or both be 2"),
        ({"dilation_rate": 2}, 8, 3, "is dilated, which it must not be"),
        ({"groups": 2}, 8, 4, "is grouped, which it must not be"),
        ({"filters": 64, "kernel_size": 1}, 8, 3, "would gain nothing by it"),
    ],
)
def test_what_stays_as_it_is_says_why(layer, side, channels, reason):
    content = converted(convolution(**layer), side=side, channels=channels)
    with pytest.raises(ExportError, match=reason) as raised:
        SpaceToDepth().rewrite(content)
    assert str(raised.value).startswith("space_to_depth finds no convolution to rewrite: ")
    assert str(raised.value).endswith("; take the pass out of this variant")


def test_a_file_without_convolutions_says_so():
    from kdtasks.core.backend import keras

    content = converted(keras.layers.Flatten(), keras.layers.Dense(3))
    with pytest.raises(ExportError, match="rewrite: the file has none at all; take the pass out"):
        SpaceToDepth().rewrite(content)
