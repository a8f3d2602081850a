"""Round what a segment hands on where LiteRT's quantiser leaves it float.

It does so where all that takes a feature in its own segment computes in float. The next segment
takes int8 all the same.
"""

import copy

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kdtasks.compress.tflite.editing import Tables, copy_tensor, write_model


def round_features(content: bytes) -> bytes:
    """Put a rounding behind every feature that is given in float and taken in whole numbers."""
    tables = Tables(content)
    model = tables.model
    takers = {
        entry.name: model.subgraphs[signature.subgraphIndex].tensors[entry.tensorIndex]
        for signature in model.signatureDefs
        for entry in signature.inputs
    }
    changed = False
    for signature in model.signatureDefs:
        graph = model.subgraphs[signature.subgraphIndex]
        for entry in signature.outputs:
            given, taker = graph.tensors[entry.tensorIndex], takers.get(entry.name)
            if taker is None or given.type == taker.type:
                continue
            rounded = copy_tensor(taker, entry.name + b"_rounded")
            rounded.shape, rounded.shapeSignature = given.shape, copy.copy(given.shapeSignature)
            rounded.buffer = given.buffer
            operator, number = schema.OperatorT(), tables.add(graph, rounded)
            operator.inputs = np.array([entry.tensorIndex], np.int32)
            operator.outputs = np.array([number], np.int32)
            tables.turn_into(operator, "QUANTIZE", 1, schema.QuantizeOptionsT())
            graph.operators.append(operator)
            graph.outputs = np.array(
                [number if old == entry.tensorIndex else old for old in graph.outputs], np.int32
            )
            entry.tensorIndex, changed = number, True
    return write_model(model) if changed else content
