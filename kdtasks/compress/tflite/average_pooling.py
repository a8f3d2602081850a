"""Let a convolution with equal weights take averages: the same numbers, faster in int8.

XNNPACK has no average pooling for int8, so LiteRT falls back to a slow kernel of its own, and the
operators before and behind it become separate calls. A depthwise convolution it has.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kdtasks.compress.tflite.editing import Tables, write_model

# XNNPACK has fast kernels of up to so many taps.
_MOST_TAPS = 25

# The weights may take this fraction of the file.
_MOST_BYTES = 0.01

# Of DEPTHWISE_CONV_2D, the first version that takes int8.
_VERSION = 3
_WEIGHT = 127


def pool_as_convolution(content: bytes) -> bytes:
    """Rewrite int8 average poolings whose windows touch but do not overlap, where they are small.

    An output may differ by one step, where the average lies halfway between two.

    Args:
        content: of a `.tflite`.

    Returns: the file; as it was if there is nothing to rewrite.
    """
    tables = Tables(content)
    left, changed = int(_MOST_BYTES * len(content)), False
    for graph, operator in tables.find("AVERAGE_POOL_2D"):
        image, output = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
        options = operator.builtinOptions
        size = (int(options.filterHeight), int(options.filterWidth))
        # a bias of four bytes comes on top
        bytes_added = int(image.shape[3]) * (size[0] * size[1] + 4)
        if bytes_added <= left and _fits(options, size, image, output):
            _rewrite(tables, graph, operator, image, size)
            left, changed = left - bytes_added, True
    return write_model(tables.model) if changed else content


def _fits(options: Any, size: tuple[int, int], image: Any, output: Any) -> bool:
    """Whether a convolution can do what a pooling with windows of this size does."""
    return (
        image.type == schema.TensorType.INT8
        and options.fusedActivationFunction == schema.ActivationFunctionType.NONE
        and size == (int(options.strideH), int(options.strideW))
        and size[0] * size[1] <= _MOST_TAPS
        and all(side % step == 0 for side, step in zip(image.shape[1:3], size, strict=True))
        and _scale(image) == _scale(output)
    )


def _rewrite(tables: Tables, graph: Any, operator: Any, image: Any, size: tuple[int, int]) -> None:
    channels, scale = int(image.shape[3]), 1 / (_WEIGHT * size[0] * size[1])
    weights = _constant(b"average", schema.TensorType.INT8, scale)
    bias = _constant(b"no_bias", schema.TensorType.INT32, scale * _scale(image)[0])
    numbers = [
        operator.inputs[0],
        tables.add(graph, weights, np.full((1, *size, channels), _WEIGHT, np.int8)),
        tables.add(graph, bias, np.zeros(channels, np.int32)),
    ]
    operator.inputs = np.array(numbers, np.int32)
    options = schema.DepthwiseConv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH, options.strideW = size
    options.depthMultiplier = options.dilationHFactor = options.dilationWFactor = 1
    tables.turn_into(operator, "DEPTHWISE_CONV_2D", _VERSION, options)


def _constant(name: bytes, kind: int, scale: float) -> Any:
    tensor, scales = schema.TensorT(), schema.QuantizationParametersT()
    scales.scale, scales.zeroPoint = np.array([scale], np.float32), np.array([0], np.int64)
    tensor.name, tensor.type, tensor.quantization = name, kind, scales
    return tensor


def _scale(tensor: Any) -> tuple[float, int]:
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
