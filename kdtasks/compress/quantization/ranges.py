"""Which part of a tensor's values 256 steps cover: all, without outliers, or by least error.

LiteRT's calibration takes the smallest and the largest value seen. One large value in a million
then makes every step coarse; clipping it can cost less than it gains.
"""

from typing import Any, Literal

import networkx
import numpy as np

from kdtasks.compress.quantization.trace import Trace
from kdtasks.compress.tflite.editing import write_model
from kdtasks.compress.tflite.graph import read_model

Ranges = Literal["min_max", "percentile", "mse"]
_BINS = 2048
_IMAGE = ("", "image")
# Operators whose whole numbers stand for the same on both sides.
_SAME_SCALE = frozenset(
    [
        "AVERAGE_POOL_2D",
        "BATCH_TO_SPACE_ND",
        "CONCATENATION",
        "DEPTH_TO_SPACE",
        "EXPAND_DIMS",
        "GATHER",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MINIMUM",
        "MIRROR_PAD",
        "PAD",
        "PADV2",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "SLICE",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TRANSPOSE",
        "UNPACK",
    ]
)
# Of the whole range, what mean squared error chooses from.
_SHARES = np.linspace(0.05, 1, 96)


def with_ranges(
    calibrated: bytes, images: np.ndarray, ranges: Ranges, *, percentile: float
) -> bytes:
    """Set the ranges of a calibrated file anew.

    The image keeps its range; a feature, and what operators hand on as it is, have one range, the
    widest that any of them wants.

    Args:
        images: uint8 [N, height, width, channels].
        ranges: `min_max` leaves the file as it is.
        percentile: of the values, that `percentile` covers; as many are cut off below as above.
    """
    if ranges == "min_max":
        return calibrated
    trace, model = Trace(calibrated), read_model(calibrated)
    graphs = {
        signature.signatureKey.decode(): signature.subgraphIndex
        for signature in model.signatureDefs
    }
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
    chosen = {
        key: percentile_range(counts[key], edges[key], percentile)
        if ranges == "percentile"
        else least_error_range(counts[key], edges[key])
        for key in edges
    }
    for group in _tied(trace):
        known = [chosen[key] for key in group & chosen.keys()]
        if _IMAGE in group or not known:
            continue
        low, high = min(low for low, _ in known), max(high for _, high in known)
        for key in group & chosen.keys():
            tensors[key].quantization.min = np.array([low], np.float32)
            tensors[key].quantization.max = np.array([high], np.float32)
    return write_model(model)


def _tied(trace: Trace) -> list[set[tuple[str, str]]]:
    """Group the tensors of one range each: around operators that keep the scale, and features."""
    ties = networkx.Graph()
    for signature, graph in trace.graphs.items():
        keys = [(signature, tensor.name) for tensor in graph.tensors]
        ties.add_nodes_from(keys)
        for operator in graph.operators:
            if operator.name in _SAME_SCALE:
                first = keys[operator.outputs[0]]
                numbers = [index for index in (*operator.inputs, *operator.outputs) if index >= 0]
                ties.add_edges_from((first, keys[number]) for number in numbers)
        for name, number in {**graph.outputs, **graph.inputs}.items():
            if name != "logits":  # of every segment others
                ties.add_edge(("", name), keys[number])
    return list(networkx.connected_components(ties))


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
