"""Channels taken out of random networks: silent ones are missed by nobody."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

STEPS = (
    "conv", "stride", "separable", "depthwise", "norm", "relu", "leaky", "skip", "concatenate",
    "pool", "upsample", "up_convolution", "exit", "unet",
)  # fmt: skip


def draw_network(steps, widths, top):
    """Stack layers by name; every exit adds a head and a place to cut."""
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    layers = keras.layers
    image = keras.Input((8, 8, 2), name="image")
    tensor = layers.Conv2D(widths[0], 3, padding="same", name="stem")(image)
    outputs: list[Any] = []
    taps: list[tuple[str, ...]] = []
    for number, (step, width) in enumerate(zip(steps, widths, strict=True)):
        name, side = f"{step}_{number}", tensor.shape[1]
        same = {"padding": "same", "name": name}
        if step == "conv":
            tensor = layers.Conv2D(width, 3, **same)(tensor)
        elif step == "stride" and side > 2:
            tensor = layers.Conv2D(width, 2, strides=2, use_bias=False, **same)(tensor)
        elif step == "separable":
            tensor = layers.SeparableConv2D(width, 3, **same)(tensor)
        elif step == "depthwise":
            tensor = layers.DepthwiseConv2D(3, **same)(tensor)
        elif step == "norm":
            tensor = layers.BatchNormalization(scale=bool(width % 2), name=name)(tensor)
        elif step == "relu":
            tensor = layers.ReLU(name=name)(tensor)
        elif step == "leaky":
            tensor = layers.LeakyReLU(name=name)(tensor)
        elif step == "skip":
            other = layers.Conv2D(tensor.shape[-1], 1, name=f"{name}_other")(tensor)
            tensor = layers.Add(name=name)([tensor, other])
        elif step == "concatenate":
            other = layers.Conv2D(width, 1, name=f"{name}_other")(tensor)
            tensor = layers.Concatenate(name=name)([other, tensor, other])
        elif step == "pool" and side > 2:
            tensor = layers.MaxPooling2D(name=name)(tensor)
        elif step == "upsample" and side < 8:
            tensor = layers.UpSampling2D(name=name)(tensor)
        elif step == "up_convolution" and side < 8:
            tensor = layers.Conv2DTranspose(width, 2, strides=2, name=name)(tensor)
        elif step == "unet" and side > 2:
            low = layers.AveragePooling2D(name=f"{name}_down")(tensor)
            low = layers.Conv2D(width, 3, padding="same", name=f"{name}_low")(low)
            low = layers.UpSampling2D(name=f"{name}_up")(low)
            tensor = layers.Concatenate(name=name)([tensor, low])
        elif step == "exit" and tensor.node.layer.name not in [tap for (tap,) in taps]:
            taps.append((tensor.node.layer.name,))
            head = layers.GlobalMaxPooling2D(name=f"{name}_pool")(tensor)
            outputs.append(layers.Dense(3, name=f"{name}_logits")(head))
    if top == "pixels":
        last = layers.Conv2D(3, 1, name="logits")(tensor)
        outputs, taps = [last], []  # every exit must tell the same shape
    else:
        flat = layers.Flatten if top == "flatten" else layers.GlobalAveragePooling2D
        tensor = layers.Dense(4, activation="relu", name="hidden")(flat(name="top")(tensor))
        outputs.append(layers.Dense(3, name="logits")(tensor))
    return MultiExitModel(keras.Model(image, outputs), taps=tuple(taps))


@settings(max_examples=15)
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=7),
    data=st.data(),
    top=st.sampled_from(["flatten", "average", "pixels"]),
    seed=st.integers(0, 99),
)
def test_a_network_without_its_silent_channels_computes_the_same(
    check_silent_channels, steps, data, top, seed
):
    widths = data.draw(st.lists(st.integers(1, 5), min_size=len(steps), max_size=len(steps)))
    model = draw_network(steps, widths, top)
    smaller = check_silent_channels(model, seed)
    assert len(smaller.segments()) == model.num_exits


def test_the_network_without_them_loses_nothing_else(randomise):
    from kdtasks.compress.pruning.channels import Channels
    from kdtasks.compress.pruning.removal import remove_channels

    model = draw_network(["separable", "norm"], [3, 3], "average")
    randomise(model, seed=0)
    channels = Channels(model.network)
    gone = int(channels.produced_by("stem")[1])
    smaller = remove_channels(model, channels, {gone})
    depthwise, pointwise, bias = model.network.get_layer("separable_0").get_weights()
    found = smaller.network.get_layer("separable_0").get_weights()
    np.testing.assert_array_equal(found[0], depthwise[:, :, [0, 2]])
    np.testing.assert_array_equal(found[1], pointwise[:, :, [0, 2]])
    np.testing.assert_array_equal(found[2], bias)


def test_nothing_removed_is_the_same_network(build_network, draw_images, outputs):
    from kdtasks.compress.pruning.channels import Channels
    from kdtasks.compress.pruning.removal import remove_channels

    model = build_network("composite")
    same = remove_channels(model, Channels(model.network), set())
    images = draw_images(model)
    for one, other in zip(outputs(model, images), outputs(same, images), strict=True):
        np.testing.assert_array_equal(one, other)
    assert same.macs() == pytest.approx(model.macs())
