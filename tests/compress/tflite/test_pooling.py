"""Averages taken by a convolution: the same but for halves, and what stays a pooling."""

import numpy as np
import pytest

from kdtasks.compress.tflite.average_pooling import convolve_averages
from kdtasks.compress.tflite.graph import read_graphs
from kdtasks.edge.segments import Segments

pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")


def operators(content):
    return [operator.name for graph in read_graphs(content) for operator in graph.operators]


@pytest.fixture
def converted():
    """Give a function that converts a wide convolution and a pooling."""
    from kdtasks.compress.tflite.convert import convert
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
    rewritten = convolve_averages(content)
    assert operators(content).count("AVERAGE_POOL_2D") == 1
    assert "AVERAGE_POOL_2D" not in operators(rewritten)
    assert operators(rewritten).count("DEPTHWISE_CONV_2D") == 1
    before, after = (Segments(each) for each in (content, rewritten))
    [scale] = before.logits_scales
    steps = (after.logits_of(images) - before.logits_of(images)) / scale
    assert np.abs(steps).max() <= 1.001
    # only where the average lies halfway between two steps
    assert np.mean(np.abs(steps) > 0.5) < 0.6 / (size[0] * size[1])


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
    assert convolve_averages(content) == content


def test_a_small_file_does_not_grow_for_it(converted):
    content, _ = converted(filters=8, pool_size=4)
    assert convolve_averages(content) == content


def test_a_head_of_a_larger_network_has_it():
    from kdtasks.compress.tflite.convert import convert
    from kdtasks.learn.networks.alexnet import AlexNetParams
    from kdtasks.learn.networks.build import build

    model = build(
        AlexNetParams(name="alexnet", width=0.5),
        input_shape=(32, 32, 3),
        num_classes=10,
        exits=("block_2",),
    )
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    content = convert(model, number_format="int8", representative=images)
    rewritten = convolve_averages(content)
    assert operators(content).count("AVERAGE_POOL_2D") == 1
    assert "AVERAGE_POOL_2D" not in operators(rewritten)
    assert Segments(rewritten).count == 2
