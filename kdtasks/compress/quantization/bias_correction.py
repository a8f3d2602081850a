"""Take back the shift that rounded kernels give to the mean of what they compute.

Rounding a kernel W to Ŵ moves the mean output by (Ŵ − W) E[x]. The bias takes the opposite, which
costs nothing on the device (Nagel et al. 2019, Data-Free Quantization Through Weight Equalization
and Bias Correction, section 4.2). The mean is that of the float network on calibration images, and
at borders the zeros of the padding are not counted.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kdtasks.compress.quantization.kernels import FILTER_AXES, kernel_pairs
from kdtasks.compress.quantization.trace import Trace
from kdtasks.compress.tflite.editing import Tables, write_model
from kdtasks.compress.tflite.graph import constant_values, read_model


def correct_biases(calibrated: bytes, content: bytes, images: np.ndarray) -> bytes:
    """Correct the biases of convolutions, but for grouped ones, and of dense layers.

    Args:
        calibrated: the float file.
        content: the int8 file that was made from it.
        images: uint8 [N, height, width, channels].

    Returns: the int8 file; kernels and scales are as they were.
    """
    tables = Tables(content)
    pairs = [pair for pair in kernel_pairs(read_model(calibrated), tables.model) if pair.bias]
    trace = Trace(calibrated)
    sums: dict[Any, np.ndarray] = {}
    for image in images:
        values = trace.run(image)
        for pair in pairs:
            taken = values[pair.taken]
            inputs = pair.whole.shape[-1]  # of depthwise kernels the filters, a channel each
            if pair.kind == "DEPTHWISE_CONV_2D":
                inputs = taken.shape[-1]
            elif pair.kind == "CONV_2D" and inputs != taken.shape[-1]:
                continue  # a grouped convolution: each filter takes other channels
            mean = taken.reshape(-1, inputs).mean(axis=0)
            sums[pair.key] = sums.get(pair.key, 0) + mean / len(images)
    for pair in pairs:
        if pair.key not in sums:
            continue
        shift = mean_shift(pair.kind, pair.rounded - pair.whole, sums[pair.key])
        stored = constant_values(tables.model, pair.bias)
        assert stored is not None  # the converter's biases are constants
        moved = np.rint(stored - shift / pair.bias.quantization.scale)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(moved.astype(stored.dtype).tobytes(), np.uint8)
        tables.model.buffers.append(buffer)  # equal biases of several layers may share one
        pair.bias.buffer = len(tables.model.buffers) - 1
    return write_model(tables.model)


def mean_shift(kind: str, difference: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """How far the mean output moves, [filters].

    Args:
        kind: operator, of `FILTER_AXES`.
        difference: Ŵ − W, in the shape of the kernel.
        mean: [inputs] of what the operator takes, by channel.
    """
    axis = FILTER_AXES[kind]
    spatial = tuple(dimension for dimension in range(difference.ndim - 1) if dimension != axis)
    by_input = difference.sum(axis=spatial)
    if kind == "DEPTHWISE_CONV_2D":  # filters of one channel lie side by side
        return by_input * np.repeat(mean, len(by_input) // len(mean))
    return by_input @ mean
