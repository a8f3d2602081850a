"""int8 by its settings: the converter's own bytes, layers in float, names of layers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdtasks.compress.convert import calibrate, convert
from kdtasks.compress.number_formats.builtin import Int8
from kdtasks.compress.quantization.quantizer import quantize, tensors_of_layers
from kdtasks.compress.tflite.graph import read_graphs
from kdtasks.core.backend import tf
from kdtasks.core.errors import ExportError
from kdtasks.edge.segments import Segments
from kdtasks.learn.networks.inference import ForwardPass


@pytest.fixture(scope="module")
def resnet(
    build_network: Callable[[str], Any], draw_images: Callable[..., np.ndarray]
) -> tuple[Any, np.ndarray, bytes]:
    model = build_network("resnet8")
    images = draw_images(model, 6)
    return model, images, calibrate(model, images)


def computed_in(content: bytes) -> dict[str, str]:
    """Name of every tensor that an operator of a layer makes to its numbers."""
    return {
        graph.tensors[operator.outputs[0]].name: graph.tensors[operator.outputs[0]].dtype
        for graph in read_graphs(content)
        for operator in graph.operators
    }


def test_defaults_compute_what_the_converter_computes(resnet: Any):
    model, images, calibrated = resnet
    own = convert(model, number_format="int8", representative=images)
    again = quantize(calibrated, Int8(), images)
    expected, found = (Segments(one).logits_of(images) for one in (own, again))
    np.testing.assert_array_equal(found, expected)


def test_layers_of_every_segment_have_their_keras_names(resnet: Any):
    model, _, calibrated = resnet
    layers = tensors_of_layers(calibrated)
    known = {layer.name for layer in model.network.layers}
    assert set(layers) - known == {"features_1"}  # an addition that is an output has lost its name
    assert sum(map(len, layers.values())) == len(computed_in(calibrated))


def test_named_layers_compute_in_float_and_the_others_in_int8(resnet: Any):
    model, images, _ = resnet
    content = convert(
        model,
        number_format="int8",
        representative=images,
        settings=Int8(keep_float=("block_1_1_conv",)),
    )
    kinds = {
        operator.outputs[0]: (operator.name, graph.tensors[operator.outputs[0]].dtype)
        for graph in read_graphs(content)
        for operator in graph.operators
        if graph.signature == "segment_1"
    }
    floats = [kind for kind, dtype in kinds.values() if dtype == "float32"]
    assert floats == ["DEQUANTIZE", "CONV_2D"]


def test_a_whole_network_in_float_still_hands_on_int8(resnet: Any):
    """LiteRT leaves a feature float where all that takes it is; here it is rounded."""
    model, images, calibrated = resnet
    every = Int8(keep_float=tuple(tensors_of_layers(calibrated)))
    content, plain = (quantize(calibrated, settings, images) for settings in (every, Int8()))
    exact = np.stack(ForwardPass(model).logits(images), axis=1)
    errors = [
        float(np.square(Segments(one).logits_of(images) - exact).mean()) for one in (content, plain)
    ]
    assert errors[0] < errors[1]
    for graph in read_graphs(content):
        assert {graph.tensors[number].dtype for number in graph.outputs.values()} == {"int8"}


def test_raw_pixels_are_taken_where_layers_are_float(resnet: Any):
    _, images, calibrated = resnet
    settings = Int8(keep_float=("stem_conv", "exit_0_pool"))
    content = quantize(calibrated, settings, images, dtype=tf.uint8)
    assert np.isfinite(Segments(content).logits_of(images)).all()


def test_a_scale_for_all_filters(resnet: Any):
    _, images, calibrated = resnet
    for per_channel in (True, False):
        content = quantize(calibrated, Int8(per_channel=per_channel), images)
        (kernel,) = (
            graph.tensors[operator.inputs[1]]
            for graph in read_graphs(content)
            for operator in graph.operators
            if graph.signature == "segment_0" and operator.name == "CONV_2D"
        )
        assert (kernel.channels > 1) is per_channel


def test_an_unknown_layer_is_named_with_those_there_are(resnet: Any):
    _, images, calibrated = resnet
    with pytest.raises(
        ExportError, match=r"no layer 'block_1_1_con'.*stem_conv.*did you mean 'block_1_1_conv'"
    ):
        quantize(calibrated, Int8(keep_float=("block_1_1_con",)), images)
