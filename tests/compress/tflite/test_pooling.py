"""Averages taken by a convolution: the same but for halves, and what stays a pooling."""

import numpy as np
import pytest

from kdtasks.compress.tflite.average_pooling import pool_as_convolution
from kdtasks.compress.tflite.graph import read_graphs
from kdtasks.edge.segments import Segments

pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")


def operators(content):
    return [operator.name for graph in read_graphs(content) for operator in graph.operators]


@pytest.fixture
def converted():
    """Give a function that converts a wide convolution and a pooling."""
    from kdtasks.compress.convert import convert
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    images = np.random.default_rng(0).integers(0, 256, (12, 12, 12, 3), np.uint8)

    def make(number_format="int8", *, filters=40, **pooling):
        image = keras.Input((12, 12, 3), name="image")
        tensor = keras.layers.Conv2D(filters, 5, padding="same", activation="relu")(image)
        tensor = keras.layers.AveragePooling2D(**pooling)(tensor)
        model = MultiExitModel(keras.Model(image, keras.layers.Flatten()(tensor)))
        content = convert(model, number_format=number_format, representative=images)
        return content, images

    return make


@pytest.mark.parametrize("size", [(2, 2), (3, 4), (4, 4)])
def test_averages_differ_by_a_step_at_most(size, converted, monkeypatch):
    content, images = converted(filters=160, pool_size=size)
    monkeypatch.setattr("kdtasks.compress.tflite.average_pooling._MOST_BYTES", 0.5)
    rewritten = pool_as_convolution(content)
    assert operators(content).count("AVERAGE_POOL_2D") == 1
    assert "AVERAGE_POOL_2D" not in operators(rewritten)
    assert operators(rewritten).count("DEPTHWISE_CONV_2D") == 1
    before, after = (Segments(each) for each in (content, rewritten))
    [spec] = before.logits_specs
    steps = (after.logits_of(images) - before.logits_of(images)) / spec.scale
    assert np.abs(steps).max() <= 1.001


@pytest.mark.parametrize("size", [(2, 2), (3, 3), (3, 4), (4, 4), (5, 5)])
def test_an_average_is_the_nearest_step(size, monkeypatch):
    """Halves go up or down, as each kernel likes; nothing else does.

    The sum S of a window's n ≤ 25 pixels is at most 255 n, and the convolution's, 127 S ≤ 809,625,
    less than 2²⁴: exact in float32. Its factor 1 / (127 n) is rounded in the file, twice when the
    scales are put together, and once more in the product, each time by 2⁻²⁴ of it at most; so the
    average, at most 255, errs by less than 4 · 2⁻²⁴ · 255 < 0.0001 before it is rounded to a step.
    """
    from kdtasks.compress.convert import convert
    from kdtasks.core.backend import keras
    from kdtasks.learn.networks.multi_exit import MultiExitModel

    rows, columns = size
    images = np.random.default_rng(0).integers(0, 256, (20, 2 * rows, 2 * columns, 40), np.uint8)
    image = keras.Input(images.shape[1:], name="image")
    averages = keras.layers.AveragePooling2D(size)(image)
    model = MultiExitModel(keras.Model(image, keras.layers.Flatten()(averages)))
    content = convert(model, number_format="int8", representative=images)
    monkeypatch.setattr("kdtasks.compress.tflite.average_pooling._MOST_BYTES", 10.0)
    rewritten = pool_as_convolution(content)
    assert "DEPTHWISE_CONV_2D" in operators(rewritten)
    exact = images.reshape(-1, 2, rows, 2, columns, 40).mean(axis=(2, 4)).reshape(len(images), -1)
    for each in (content, rewritten):
        segments = Segments(each)
        found = segments.logits_of(images)[:, 0] / segments.logits_specs[0].scale
        assert np.abs(np.rint(found) - exact).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("number_format", "pooling"),
    [
        ("float32", {"pool_size": 2}),
        ("int8", {"pool_size": 6}),  # 36 taps
        ("int8", {"pool_size": 3, "strides": 2}),  # windows overlap
        ("int8", {"pool_size": 5, "padding": "same"}),  # and beyond the edge
    ],
)
def test_what_gains_nothing_or_would_change_stays(number_format, pooling, converted, monkeypatch):
    content, _ = converted(number_format, **pooling)
    monkeypatch.setattr("kdtasks.compress.tflite.average_pooling._MOST_BYTES", 0.5)
    assert pool_as_convolution(content) == content


def test_a_small_file_does_not_grow_for_it(converted):
    content, _ = converted(filters=8, pool_size=4)
    assert pool_as_convolution(content) == content


def test_a_head_of_a_larger_network_has_it():
    from kdtasks.compress.convert import convert
    from kdtasks.learn.networks.alexnet import AlexNet
    from kdtasks.learn.networks.build import build

    model = build(
        AlexNet(width=0.5),
        input_shape=(32, 32, 3),
        num_classes=10,
        exits=("block_2",),
    )
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    content = convert(model, number_format="int8", representative=images)
    rewritten = pool_as_convolution(content)
    assert operators(content).count("AVERAGE_POOL_2D") == 1
    assert "AVERAGE_POOL_2D" not in operators(rewritten)
    assert Segments(rewritten).count == 2
