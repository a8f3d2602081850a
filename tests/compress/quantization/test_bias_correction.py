"""Biases take back the shift of the mean that rounded kernels cause."""

from typing import Any

import numpy as np
import pytest

from kdtasks.compress.convert import calibrate
from kdtasks.compress.number_formats.builtin import Int8
from kdtasks.compress.quantization.bias_correction import mean_shift
from kdtasks.compress.quantization.kernels import kernel_pairs
from kdtasks.compress.quantization.quantizer import quantize
from kdtasks.compress.tflite.graph import constant_values, read_model


def test_shift_by_hand():
    dense = np.array([[1.0, 2.0], [0.0, -1.0]])  # [filters, inputs]
    np.testing.assert_array_equal(
        mean_shift("FULLY_CONNECTED", dense, np.array([3.0, 5.0])), [13, -5]
    )
    convolution = np.ones((2, 3, 3, 2))  # nine taps of each input
    np.testing.assert_array_equal(
        mean_shift("CONV_2D", convolution, np.array([1.0, 2.0])), [27, 27]
    )
    depthwise = np.ones((1, 2, 2, 4))  # two filters a channel
    np.testing.assert_array_equal(
        mean_shift("DEPTHWISE_CONV_2D", depthwise, np.array([1.0, 10.0])), [4, 4, 40, 40]
    )


def test_the_mean_of_a_layer_is_that_of_float(draw_images: Any):
    """To half a step of the bias; without correction coarse kernels move it further.

    The layer is linear and takes whole pixels, so that rounding its kernel is all that moves the
    sum that it rounds in the end.
    """
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = keras.Input((4, 4, 1), name="image")
    flat = keras.layers.Flatten(name="flatten")(image)
    network = keras.Model(image, [keras.layers.Dense(3, name="logits")(flat)])
    weights = np.random.default_rng(0).normal(size=(16, 3))
    weights[0] *= 50  # the others get few steps
    network.set_weights([weights, np.full(3, 0.5)])
    model = MultiExitModel(network=network)
    images = draw_images(model, 20)
    calibrated = calibrate(model, images)
    mean = images.reshape(20, 16).mean(axis=0)
    moved = {}
    for is_corrected in (False, True):
        content = quantize(calibrated, Int8(bias_correction=is_corrected), images)
        rounded = read_model(content)
        (pair,) = kernel_pairs(read_model(calibrated), rounded)
        stored = constant_values(rounded, pair.bias)
        assert stored is not None
        scale = pair.bias.quantization.scale
        moved[is_corrected] = (pair.rounded - pair.whole) @ mean + stored * scale - 0.5
        step = scale.max()
    assert np.abs(moved[True]).max() <= step * 0.5001
    assert np.abs(moved[False]).max() > step * 10


def test_a_network_without_rounded_kernels_stays(wide: Any):
    settings = Int8(
        bias_correction=True, keep_float=("stem", "wide_0", "mix_0", "wide_1", "mix_1", "logits")
    )
    plain = settings.model_copy(update={"bias_correction": False})
    corrected, same = (quantize(wide.calibrated, it, wide.images) for it in (settings, plain))
    assert not [*kernel_pairs(read_model(wide.calibrated), read_model(same))]
    assert len(corrected) == pytest.approx(len(same), rel=0.2)


def test_grouped_convolutions_stay(draw_images: Any):
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    image = keras.Input((6, 6, 4), name="image")
    tensor = keras.layers.Conv2D(4, 3, groups=2, name="grouped")(image)
    tensor = keras.layers.Flatten(name="flatten")(tensor)
    model = MultiExitModel(
        network=keras.Model(image, [keras.layers.Dense(2, name="logits")(tensor)])
    )
    images = draw_images(model, 8)
    calibrated = calibrate(model, images)
    biases: list[list[np.ndarray | None]] = []
    for is_corrected in (False, True):
        rounded = read_model(quantize(calibrated, Int8(bias_correction=is_corrected), images))
        pairs = [*kernel_pairs(read_model(calibrated), rounded)]
        grouped = [pair for pair in pairs if pair.whole.shape == (4, 3, 3, 2)]
        biases.append([constant_values(rounded, pair.bias) for pair in grouped])
    (plain,), (corrected,) = biases
    assert plain is not None
    assert corrected is not None
    np.testing.assert_array_equal(plain, corrected)
