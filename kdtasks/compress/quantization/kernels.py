"""The kernels of a float file beside those of the int8 file that was made from it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kdtasks.compress.tflite.graph import constant_values, operator_name

# Operator to the axis of its kernel along which its filters lie.
FILTER_AXES = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}


class KernelPair(NamedTuple):
    """One operator in both files.

    Attributes:
        key: signature and name of the tensor that it makes.
        taken: signature and name of the tensor that it takes, in the float file.
        kind: of the operator.
        whole: its kernel in float.
        rounded: what the kernel in int8 stands for.
        bias: its bias in the int8 file, a table of the schema; None where there is none.
    """

    key: tuple[str, str]
    taken: tuple[str, str]
    kind: str
    whole: np.ndarray
    rounded: np.ndarray
    bias: Any


def kernel_pairs(whole: Any, rounded: Any) -> Iterator[KernelPair]:
    """Give the operators with an int8 kernel; both files are a `ModelT` of the format's schema."""
    subgraphs = {
        signature.signatureKey: signature.subgraphIndex for signature in rounded.signatureDefs
    }
    for definition in whole.signatureDefs:
        graph = whole.subgraphs[definition.subgraphIndex]
        other = rounded.subgraphs[subgraphs[definition.signatureKey]]
        made = {other.tensors[operator.outputs[0]].name: operator for operator in other.operators}
        for operator in graph.operators:
            kind, name = operator_name(whole, operator), graph.tensors[operator.outputs[0]].name
            match = made.get(name)
            if kind not in FILTER_AXES or match is None or operator_name(rounded, match) != kind:
                continue
            kernel = other.tensors[match.inputs[1]]
            values = constant_values(whole, graph.tensors[operator.inputs[1]])
            stored = constant_values(rounded, kernel)
            if values is None or stored is None or stored.dtype != np.int8:
                continue
            shape = np.ones(stored.ndim, int)
            shape[FILTER_AXES[kind]] = -1
            scale = kernel.quantization.scale.reshape(shape)
            has_bias = len(match.inputs) > 2 and match.inputs[2] >= 0
            signature = definition.signatureKey.decode()
            yield KernelPair(
                (signature, name.decode()),
                (signature, graph.tensors[operator.inputs[0]].name.decode()),
                kind,
                values.astype(np.float64),
                stored.astype(np.float64) * scale,
                other.tensors[match.inputs[2]] if has_bias else None,
            )
