"""Make int8 from a calibrated file: LiteRT's quantiser between edits of what it reads and writes.

The converter makes int8 in two steps: a float file with the range of every tensor, then that in
whole numbers. Between them ranges can be chosen anew and layers be kept in float.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kdtasks.compress.quantization.bias_correction import correct_biases
from kdtasks.compress.quantization.outputs import round_features
from kdtasks.compress.quantization.ranges import with_ranges
from kdtasks.compress.tflite.editing import layer_of
from kdtasks.compress.tflite.graph import Graph, Operator, read_graphs
from kdtasks.core.backend import tf
from kdtasks.core.errors import ExportError, did_you_mean
from kdtasks.core.stderr import held_stderr

if TYPE_CHECKING:
    from kdtasks.compress.number_formats.builtin import Int8


def quantize(
    calibrated: bytes, settings: "Int8", images: np.ndarray, *, dtype: Any = None
) -> bytes:
    """Turn a calibrated float file into int8.

    Args:
        calibrated: as of `convert.calibrate`.
        images: uint8 [N, height, width, channels], those that set the ranges.
        dtype: of inputs and outputs; int8 by default.

    Raises:
        ExportError: a layer that is to be kept in float is not in the file; lists those that are.
    """
    from tensorflow.lite.python.convert import mlir_quantize

    dtype = dtype or tf.int8
    layers = tensors_of_layers(calibrated)
    for name in settings.keep_float:
        if name not in layers:
            raise ExportError(
                f"compress.int8.keep_float: no layer {name!r} in the file; its layers: "
                f"{', '.join(layers)}{did_you_mean(name, list(layers))}"
            )
    kept = [tensor for name in settings.keep_float for tensor in layers[name]]
    ranged = with_ranges(calibrated, images, settings.ranges, percentile=settings.percentile)
    with held_stderr():
        content = bytes(
            mlir_quantize(
                ranged,
                disable_per_channel=not settings.per_channel,
                input_data_type=dtype,
                output_data_type=dtype,
                denylisted_nodes=kept,
            )
        )
    content = round_features(content) if kept else content
    return correct_biases(calibrated, content, images) if settings.bias_correction else content


def layer_name(graph: Graph, operator: Operator) -> str:
    """The layer that an operator computes, by its Keras name.

    An output of a segment has lost its name: the kernel has it; else the output's own is taken,
    such as `features_0`.
    """
    constants = [graph.tensors[number] for number in operator.inputs if number >= 0]
    made = graph.tensors[operator.outputs[0]]
    for tensor in [made, *(constant for constant in constants if constant.buffer is not None)]:
        if tensor.name.rpartition(";")[2].startswith(f"{graph.signature}/"):
            return layer_of(tensor.name.encode()).decode()
    names = {number: name for name, number in graph.outputs.items()}
    return names.get(operator.outputs[0], made.name)


def tensors_of_layers(content: bytes) -> Mapping[str, Sequence[str]]:
    """Every layer of a file to the tensors that its operators make, in the order of computing."""
    layers: dict[str, list[str]] = {}
    for graph in read_graphs(content):
        for operator in graph.operators:
            made = graph.tensors[operator.outputs[0]].name
            layers.setdefault(layer_name(graph, operator), []).append(made)
    return layers


def install(converter: Any, settings: "Int8", images: Any) -> None:
    """Let a `tf.lite.TFLiteConverter` make int8 by `quantize`, and all else as it does."""
    calibrate = converter._quantize

    def by_settings(content: bytes, input_type: Any, *rest: Any, **options: Any) -> bytes:
        converter._experimental_calibrate_only = True
        calibrated = bytes(calibrate(content, input_type, *rest, **options))
        converter._experimental_calibrate_only = False
        fed = [tensors["image"][0] for _, tensors in images() if "image" in tensors]
        return quantize(calibrated, settings, np.stack(fed), dtype=input_type)

    converter._quantize = by_settings
