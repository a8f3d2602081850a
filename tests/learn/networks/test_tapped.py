"""Features of blocks beside the logits, without another bit in these."""

from typing import Any

import numpy as np
import pytest

from kdtasks.core.backend import keras, tf
from kdtasks.core.errors import ModelError
from kdtasks.learn.networks import Architecture
from kdtasks.learn.networks.alexnet import AlexNet
from kdtasks.learn.networks.build import build
from kdtasks.learn.networks.cnn import CNN
from kdtasks.learn.networks.resnet import ResNet8
from kdtasks.learn.networks.unet import UNet

SMALL_CNN = CNN(filters=(4, 6, 8), dropout=0.2)


@pytest.mark.parametrize(
    "architecture",
    [
        SMALL_CNN,
        ResNet8(width=0.5),
        AlexNet(width=0.2),
        UNet(filters=(3, 4, 5)),
    ],
    ids=lambda architecture: architecture.name,
)
def test_every_block_that_params_know_has_features(architecture: Architecture):
    model = build(architecture, input_shape=(32, 32, 3), num_classes=3)
    names = architecture.taps()
    assert list(model.blocks) == names
    tapped = model.tapped(names)
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)), tf.float32)
    logits, features = tapped(images)
    assert [tuple(array.shape[1:]) for array in features] == tapped.feature_shapes
    for one, other in zip(logits, model.logits(images), strict=True):
        np.testing.assert_array_equal(one, other)


def test_features_come_in_the_order_of_their_names_and_behind_all_exits():
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=3, exits=["block_1", "block_2"])
    tapped = model.tapped(["block_3", "block_1_1_conv", "block_1"])
    assert tapped.feature_shapes == [(1, 1, 8), (8, 8, 4), (4, 4, 4)]
    logits, features = tapped(tf.zeros((2, 8, 8, 1)))
    assert ([len(array) for array in logits], len(features)) == ([2, 2, 2], 3)


def test_without_names_it_is_the_network_itself():
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=3)
    tapped = model.tapped(())
    assert tapped.network is model.network
    assert tapped.feature_shapes == []
    logits, features = tapped(tf.zeros((2, 8, 8, 1)))
    assert (len(logits), features) == (1, [])


def test_dropout_follows_the_phase_of_training():
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=3)
    images = tf.random.stateless_uniform((2, 8, 8, 1), seed=(1, 2)) * 255

    def features_of(**phase: Any) -> np.ndarray:
        array: np.ndarray = model.tapped(["block_1"])(images, **phase)[1][0].numpy()
        return array

    assert (features_of(training=True) != features_of(training=False)).any()


def gradients_of(exit_gradient: float) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Logits of all exits, and the gradient of their sum by every variable."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    cnn = SMALL_CNN.model_copy(update={"dropout": 0.0})
    model = build(cnn, input_shape=(8, 8, 1), num_classes=3, exits=["block_1", "block_2"])
    images = tf.random.stateless_uniform((4, 8, 8, 1), seed=(1, 2)) * 255
    with tf.GradientTape() as tape:
        tapped = model.tapped(["block_2"], exit_gradient=exit_gradient)
        logits, features = tapped(images, training=True)
        total = tf.add_n([tf.reduce_sum(array**2) for array in logits])
    assert [tuple(array.shape) for array in features] == [(4, 2, 2, 6)]
    variables = model.network.trainable_variables
    gradients = tape.gradient(total, variables)
    named = zip((variable.name for variable in variables), gradients, strict=True)
    return [array.numpy() for array in logits], {name: array.numpy() for name, array in named}


def test_the_gradient_of_early_exits_may_be_kept_from_the_blocks_below():
    whole, half, none = (gradients_of(share) for share in (1.0, 0.5, 0.0))
    for one, other in zip(whole[0], none[0], strict=True):
        np.testing.assert_array_equal(one, other)
    for name, gradient in whole[1].items():
        middle = (gradient + none[1][name]) / 2
        np.testing.assert_allclose(half[1][name], middle, rtol=1e-3, atol=1e-3 * abs(middle).max())
        same = np.allclose(gradient, none[1][name], rtol=1e-4, atol=1e-5 * abs(gradient).max())
        # Below the early exits something is missing; heads and the last block have it all.
        assert same == name.startswith(("exit_", "block_3")), name


@pytest.mark.parametrize("exits", [[], ["block_1"]])
def test_without_early_exits_or_with_all_of_their_gradient_it_is_the_network(exits: list[str]):
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=3, exits=exits)
    assert model.tapped((), exit_gradient=0.5 if not exits else 1.0).network is model.network


def test_a_name_that_is_not_there_lists_those_that_are():
    model = build(SMALL_CNN, input_shape=(8, 8, 1), num_classes=3)
    with pytest.raises(
        ModelError,
        match=r"cnn has no block and no layer 'blok_2'; its blocks: block_1, block_2, block_3; its "
        r"layers: .*block_1_1_conv.*; did you mean 'block_2'\?",
    ):
        model.tapped(["blok_2"])
