"""What an accelerator takes of a `.tflite`: asked of Vela, or of a table; nothing is run."""

from typing import NamedTuple

from kdtasks.compress.tflite.graph import Graph, Operator, read_graphs
from kdtasks.compress.tflite.vela import estimate
from kdtasks.core.accelerators import Fallback, TargetFit, TargetSegment


class Coverage(NamedTuple):
    """What an accelerator takes.

    Attributes:
        source: where its table stands.
        dtypes: types of the tensors that an operator may take.
        operators: names of LiteRT.
        float_only: those that are taken in float32 alone.
    """

    source: str
    dtypes: frozenset[str]
    operators: frozenset[str]
    float_only: frozenset[str] = frozenset()


_EDGE_TPU = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED
L2_NORMALIZATION LOGISTIC LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE
REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT
SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TRANSPOSE
TRANSPOSE_CONV
"""
_NNAPI = """
ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_TO_SPACE_ND CAST CONCATENATION CONV_2D DEPTHWISE_CONV_2D
DEPTH_TO_SPACE DEQUANTIZE EQUAL EXPAND_DIMS FULLY_CONNECTED GATHER GREATER GREATER_EQUAL HARD_SWISH
L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL
NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE
RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SELECT SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT
SQUEEZE STRIDED_SLICE SUB TANH TILE TOPK_V2 TRANSPOSE TRANSPOSE_CONV
"""
_NNAPI_FLOAT = """
ABS DIV ELU EXP FLOOR LOCAL_RESPONSE_NORMALIZATION LOG LOG_SOFTMAX NEG POW REDUCE_PROD RSQRT SIN
SQRT SUM
"""

COVERAGE = {
    "edgetpu": Coverage(
        "Axis's copy of Coral's table (developer.axis.com, ARTPEC-7, supported ops), to "
        "RESIZE_NEAREST_NEIGHBOR in its order; the rest unchecked",
        frozenset({"int8", "uint8"}),
        frozenset(_EDGE_TPU.split()),
    ),
    "nnapi": Coverage(
        "tensorflow/lite/delegates/nnapi/nnapi_delegate.cc, from Android 11",
        frozenset({"float32", "int8", "uint8"}),
        frozenset((_NNAPI + _NNAPI_FLOAT).split()),
        frozenset(_NNAPI_FLOAT.split()),
    ),
}


def fit_target(content: bytes, target: str) -> TargetFit:
    """Ask Vela or a table what an accelerator takes of each segment.

    Args:
        content: of the file.
        target: a name in `COVERAGE`, or an accelerator as Vela calls it.

    Raises:
        BundleError: Vela is not installed, or does not compile it.
    """
    if coverage := COVERAGE.get(target):
        segments = {graph.signature: covered(graph, coverage) for graph in read_graphs(content)}
        return TargetFit(coverage.source, segments)
    return TargetFit("Vela's estimate", estimate(content, target))


def covered(graph: Graph, coverage: Coverage) -> TargetSegment:
    """Name the operators of a signature that a table does not have, or not in their numbers."""
    found = ((operator, _reason(graph, operator, coverage)) for operator in graph.operators)
    fallbacks = tuple(
        Fallback(operator.name, graph.tensors[operator.outputs[0]].name, reason)
        for operator, reason in found
        if reason
    )
    return TargetSegment(len(graph.operators) - len(fallbacks), len(fallbacks), fallbacks)


def _reason(graph: Graph, operator: Operator, coverage: Coverage) -> str:
    if operator.name not in coverage.operators:
        return "not in the table"
    allowed = {"float32"} if operator.name in coverage.float_only else coverage.dtypes
    taken = [graph.tensors[number] for number in operator.inputs if number >= 0]
    # constants may be shapes and axes, and weights follow what they meet
    dtypes = {tensor.dtype for tensor in taken if tensor.buffer is None}
    other = sorted(dtypes - allowed)
    return f"{' and '.join(other)}, where {' or '.join(sorted(allowed))} is taken" if other else ""
