"""Let a convolution with equal weights take averages: the same numbers, faster in int8.

XNNPACK has no average pooling for int8, so LiteRT falls back to a slow kernel of its own, and the
operators before and behind it become separate calls. A depthwise convolution it has.
"""

from typing import Any

import numpy as np

from kdtasks.compress.tflite.editing import Tables, write_model

# XNNPACK has fast kernels of up to so many taps.
_MOST_TAPS = 25

# The weights may take this share of the file.
_MOST_BYTES = 0.01

# Of DEPTHWISE_CONV_2D, the first version that takes int8.
_VERSION = 3
_WEIGHT = 127


def convolve_averages(content: bytes) -> bytes:
    """Rewrite int8 average poolings whose windows touch but do not overlap, where they are small.

    An output may differ by one step, where the average lies halfway between two.

    Args:
        content: of a `.tflite`.

    Returns: the file; as it was if there is nothing to rewrite.
    """
    tables = Tables(content)
    left, changed = int(_MOST_BYTES * len(content)), False
    for graph in tables.model.subgraphs:
        for operator in graph.operators:
            if tables.is_a(operator, "AVERAGE_POOL_2D"):
                image = graph.tensors[operator.inputs[0]]
                size = _window(tables, operator, image, graph.tensors[operator.outputs[0]])
                channels = int(image.shape[3])
                # a bias of four bytes comes on top
                bytes_added = channels * (size[0] * size[1] + 4) if size else 0
                if size and bytes_added <= left:
                    _rewrite(tables, graph, operator, image, size)
                    left, changed = left - bytes_added, True
    return write_model(tables.model) if changed else content


def _window(tables: Tables, operator: Any, image: Any, output: Any) -> tuple[int, int] | None:
    """Height and width of a pooling's windows; None if it has to stay."""
    options, schema = operator.builtinOptions, tables.schema
    size = (int(options.filterHeight), int(options.filterWidth))
    fits = (
        image.type == schema.TensorType.INT8
        and options.fusedActivationFunction == schema.ActivationFunctionType.NONE
        and size == (int(options.strideH), int(options.strideW))
        and size[0] * size[1] <= _MOST_TAPS
        and all(side % step == 0 for side, step in zip(image.shape[1:3], size, strict=True))
        and _scale(image) == _scale(output)
    )
    return size if fits else None


def _rewrite(tables: Tables, graph: Any, operator: Any, image: Any, size: tuple[int, int]) -> None:
    schema, channels = tables.schema, int(image.shape[3])
    scale = 1 / (_WEIGHT * size[0] * size[1])
    weights = _constant(tables, b"average", schema.TensorType.INT8, scale)
    bias = _constant(tables, b"no_bias", schema.TensorType.INT32, scale * _scale(image)[0])
    operator.inputs = np.array(
        [
            operator.inputs[0],
            tables.add(graph, weights, np.full((1, *size, channels), _WEIGHT, np.int8)),
            tables.add(graph, bias, np.zeros(channels, np.int32)),
        ],
        np.int32,
    )
    options = schema.DepthwiseConv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH, options.strideW = size
    options.depthMultiplier = options.dilationHFactor = options.dilationWFactor = 1
    operator.opcodeIndex = tables.opcode("DEPTHWISE_CONV_2D", _VERSION)
    operator.builtinOptionsType = schema.BuiltinOptions.DepthwiseConv2DOptions
    operator.builtinOptions = options


def _constant(tables: Tables, name: bytes, kind: int, scale: float) -> Any:
    tensor, scales = tables.schema.TensorT(), tables.schema.QuantizationParametersT()
    scales.scale, scales.zeroPoint = np.array([scale], np.float32), np.array([0], np.int64)
    tensor.name, tensor.type, tensor.quantization = name, kind, scales
    return tensor


def _scale(tensor: Any) -> tuple[float, int]:
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
