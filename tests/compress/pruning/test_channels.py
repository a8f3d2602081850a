"""Channels followed by hand through small networks."""

import numpy as np
import pytest

from kdtasks.core.errors import CompressionError


@pytest.fixture
def keras():
    from kdtasks.core.backend import keras

    return keras


@pytest.fixture
def trace(keras):
    """Give a function that traces the network between two tensors."""
    from kdtasks.compress.pruning.channels import Channels

    return lambda image, *outputs: Channels(keras.Model(image, list(outputs)))


def test_numbers_are_given_in_the_order_of_the_layers(keras, trace):
    image = keras.Input((4, 4, 2), name="image")
    tensor = keras.layers.Conv2D(3, 1, name="first")(image)
    tensor = keras.layers.ReLU(name="relu")(tensor)
    tensor = keras.layers.Conv2D(2, 1, name="last")(tensor)
    channels = trace(image, tensor)
    assert channels.producers == ["first", "last"]
    assert channels.produced_by("image").tolist() == [0, 1]
    assert channels.consumed_by("first").tolist() == [0, 1]
    assert channels.produced_by("first").tolist() == [2, 3, 4]
    assert channels.produced_by("relu").tolist() == [2, 3, 4]
    assert channels.consumed_by("last").tolist() == [2, 3, 4]
    assert channels.produced_by("last").tolist() == [5, 6]
    assert channels.fixed == {0, 1, 5, 6}  # the image's and the logits'


def test_an_addition_ties_channels(keras, trace):
    image = keras.Input((4, 4, 1))
    branches = [keras.layers.Conv2D(2, 1, name=name)(image) for name in "abc"]
    tensor = keras.layers.Add(name="add")(branches)
    channels = trace(image, keras.layers.Conv2D(1, 1, name="last")(tensor))
    for name in ("b", "c", "add"):
        assert channels.produced_by(name).tolist() == channels.produced_by("a").tolist()
    assert channels.consumed_by("last").tolist() == channels.produced_by("a").tolist()


def test_a_gate_is_tied_to_what_it_opens(keras, trace):
    image = keras.Input((4, 4, 1))
    features = keras.layers.Conv2D(3, 1, name="features")(image)
    gate = keras.layers.GlobalAveragePooling2D(name="squeeze")(features)
    gate = keras.layers.Reshape((1, 1, 3), name="reshape")(gate)
    gate = keras.layers.Conv2D(2, 1, name="reduce")(gate)
    gate = keras.layers.Conv2D(3, 1, activation="sigmoid", name="excite")(gate)
    channels = trace(image, keras.layers.Multiply(name="product")([features, gate]))
    np.testing.assert_array_equal(channels.produced_by("features"), channels.produced_by("excite"))
    np.testing.assert_array_equal(channels.produced_by("reshape"), channels.produced_by("features"))
    assert not set(channels.produced_by("reduce")) & set(channels.produced_by("features"))


def test_chained_additions_tie_all_that_they_join(keras, trace):
    image = keras.Input((4, 4, 1))
    a, b, c, d = (keras.layers.Conv2D(2, 1, name=name)(image) for name in "abcd")
    first, second = keras.layers.Add()([a, b]), keras.layers.Add()([d, c])
    last = keras.layers.Add()([b, c])  # joins the two pairs by their other halves
    channels = trace(image, first, second, last)
    assert len({tuple(channels.produced_by(name).tolist()) for name in "abcd"}) == 1


def test_a_concatenation_puts_channels_one_after_another(keras, trace):
    image = keras.Input((4, 4, 1))
    left = keras.layers.Conv2D(2, 1, name="left")(image)
    right = keras.layers.Conv2D(3, 1, name="right")(image)
    tensor = keras.layers.Concatenate(name="both")([right, left])
    channels = trace(image, keras.layers.Conv2D(1, 1, name="last")(tensor))
    expected = [*channels.produced_by("right"), *channels.produced_by("left")]
    assert channels.consumed_by("last").tolist() == expected
    assert len(set(expected)) == 5


def test_flatten_repeats_the_channels_at_every_position(keras, trace):
    image = keras.Input((2, 3, 1))
    tensor = keras.layers.Conv2D(2, 1, name="conv")(image)
    tensor = keras.layers.Flatten()(tensor)
    channels = trace(image, keras.layers.Dense(4, name="dense")(tensor))
    assert channels.consumed_by("dense").tolist() == channels.produced_by("conv").tolist() * 6


@pytest.mark.parametrize(
    "layer_name",
    ["DepthwiseConv2D", "BatchNormalization", "UpSampling2D", "MaxPooling2D", "ZeroPadding2D"],
)
def test_layers_pass_channels_on(layer_name, keras, trace):
    arguments = {"kernel_size": 3} if layer_name == "DepthwiseConv2D" else {}
    layer = getattr(keras.layers, layer_name)(name="passes", **arguments)
    image = keras.Input((4, 4, 1))
    tensor = layer(keras.layers.Conv2D(3, 1, name="conv")(image))
    channels = trace(image, keras.layers.Conv2D(1, 1)(tensor))
    np.testing.assert_array_equal(channels.produced_by("passes"), channels.produced_by("conv"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda layers, x: layers.Maximum(name="gate")([x, x]),
            "layer 'gate' is a Maximum, whose channels cannot be followed; known are Activation",
        ),
        (
            lambda layers, x: layers.Multiply(name="gate")([x, layers.Conv2D(1, 1)(x)]),
            r"layer 'gate' \(Multiply\) joins 4 and 1 channels, which cannot be followed",
        ),
        (lambda layers, x: layers.Reshape((16, 1, 4), name="fold")(x), "layer 'fold' is a Reshape"),
        (
            lambda layers, x: layers.Conv2D(4, 1, groups=2, name="split")(x),
            "layer 'split' is a Conv2D",
        ),
        (
            lambda layers, x: layers.DepthwiseConv2D(3, depth_multiplier=2, name="wide")(x),
            r"layer 'wide' multiplies channels \(depth_multiplier 2\)",
        ),
    ],
)
def test_unknown_layers_are_named(make, message, keras, trace):
    image = keras.Input((4, 4, 4))
    with pytest.raises(CompressionError, match=message):
        trace(image, make(keras.layers, image))


def test_groups_leave_out_what_must_stay_and_keep_ties_together(keras, trace):
    image = keras.Input((4, 4, 1))
    left = keras.layers.Conv2D(2, 1, name="left")(image)
    right = keras.layers.Conv2D(3, 1, name="right")(image)
    both = keras.layers.Concatenate(name="both")([left, right])
    over = keras.layers.SeparableConv2D(5, 1, name="over")(image)
    tensor = keras.layers.Add(name="add")([both, over])
    channels = trace(image, keras.layers.Conv2D(1, 1, name="logits")(tensor))
    groups = channels.groups()
    assert set(groups) == {("left", "over"), ("right", "over")}
    assert [len(numbers) for numbers in groups.values()] == [2, 3]
