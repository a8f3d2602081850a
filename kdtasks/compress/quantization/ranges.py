"""Which part of a tensor's values 256 steps cover: all, without outliers, or by least error.

LiteRT's calibration takes the smallest and the largest value seen. One large value in a million
then makes every step coarse; clipping it can cost less than it gains.
"""

from typing import Any, Literal

import numpy as np

from kdtasks.compress.quantization.trace import Trace
from kdtasks.compress.tflite.editing import write_model
from kdtasks.compress.tflite.graph import read_model

Ranges = Literal["min_max", "percentile", "mse"]
_BINS = 2048
# Of the whole range, what mean squared error chooses from.
_SHARES = np.linspace(0.05, 1, 96)


def with_ranges(
    calibrated: bytes, images: np.ndarray, ranges: Ranges, *, percentile: float
) -> bytes:
    """Set the ranges of a calibrated file anew.

    The image keeps its range, and a feature has one range wherever it is given and taken.

    Args:
        images: uint8 [N, height, width, channels].
        ranges: `min_max` leaves the file as it is.
        percentile: of the values, that `percentile` covers; as many are cut off below as above.
    """
    if ranges == "min_max":
        return calibrated
    trace, model = Trace(calibrated), read_model(calibrated)
    graphs = {one.signatureKey.decode(): one.subgraphIndex for one in model.signatureDefs}
    tensors = {
        (name, tensor.name.decode()): tensor
        for name, index in graphs.items()
        for tensor in model.subgraphs[index].tensors
        if tensor.quantization is not None and tensor.quantization.min is not None
    }
    edges = {
        key: np.linspace(*_with_zero(tensor), _BINS + 1)
        for key, tensor in tensors.items()
        if tensor.quantization.max[0] > tensor.quantization.min[0]
    }
    counts = {key: np.zeros(_BINS, np.int64) for key in edges}
    for image in images:
        for key, values in trace.run(image).items():
            if key in edges:
                inside = np.clip(values, edges[key][0], edges[key][-1])
                counts[key] += np.histogram(inside, edges[key])[0]
    features: dict[str, Any] = {}
    for signature, graph in trace.graphs.items():
        given = {graph.tensors[number].name: name for name, number in graph.inputs.items()}
        for (where, tensor_name), tensor in tensors.items():
            key = (where, tensor_name)
            if where != signature or key not in edges or given.get(tensor_name) == "image":
                continue
            low, high = features.get(given.get(tensor_name, "")) or (
                percentile_range(counts[key], edges[key], percentile)
                if ranges == "percentile"
                else least_error_range(counts[key], edges[key])
            )
            tensor.quantization.min = np.array([low], np.float32)
            tensor.quantization.max = np.array([high], np.float32)
            features |= {
                name: (low, high)
                for name, number in graph.outputs.items()
                if graph.tensors[number].name == tensor_name
            }
    return write_model(model)


def _with_zero(tensor: Any) -> tuple[float, float]:
    """The range of a tensor, with 0, which int8 always has."""
    return min(float(tensor.quantization.min[0]), 0), max(float(tensor.quantization.max[0]), 0)


def percentile_range(
    counts: np.ndarray, edges: np.ndarray, percentile: float
) -> tuple[float, float]:
    """The range of the middle `percentile` per cent of the values, and of 0.

    Args:
        counts: [bins] of a histogram.
        edges: [bins + 1].
    """
    shares = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    cut = (1 - percentile / 100) / 2
    low = edges[np.searchsorted(shares, cut, side="right") - 1]
    high = edges[np.searchsorted(shares, 1 - cut, side="left")]
    return min(float(low), 0), max(float(high), 0)


def least_error_range(counts: np.ndarray, edges: np.ndarray) -> tuple[float, float]:
    """The part of the range whose 256 steps have the least mean squared error; as above."""
    centres = (edges[:-1] + edges[1:]) / 2
    errors = []
    for share in _SHARES:
        low, high = edges[0] * share, edges[-1] * share
        step = (high - low) / 255
        rounded = np.clip(np.rint(centres / step), np.rint(low / step), np.rint(high / step))
        errors.append(float(counts @ (rounded * step - centres) ** 2))
    share = float(_SHARES[int(np.argmin(errors))])
    return float(edges[0]) * share, float(edges[-1]) * share
