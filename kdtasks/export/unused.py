"""Take out of a `.tflite` what nothing in it needs any more."""

from typing import Any

import numpy as np


def remove_unused(model: Any) -> None:
    """Remove tensors that no operator, input or output names, and the values of dropped constants.

    A microcontroller's interpreter gives every tensor its place in memory, needed or not.

    Arguments:
        model: a `ModelT` of the format's schema, changed in place.
    """
    for index, graph in enumerate(model.subgraphs):
        _renumber(graph, [one for one in model.signatureDefs or [] if one.subgraphIndex == index])
    needed = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    needed |= {entry.buffer for entry in model.metadata or []}
    for number, buffer in enumerate(model.buffers):
        if number not in needed:
            buffer.data = None


def _renumber(graph: Any, signatures: list[Any]) -> None:
    lists = [
        (one, name)
        for one in (graph, *graph.operators)
        for name in ("inputs", "outputs", "intermediates")
        if getattr(one, name, None) is not None
    ]
    # −1 stands for an input that is left out
    needed = sorted({int(number) for one, name in lists for number in getattr(one, name)} - {-1})
    new = dict(zip(needed, range(len(needed)), strict=True)) | {-1: -1}
    for one, name in lists:
        numbers = [new[int(number)] for number in getattr(one, name)]
        setattr(one, name, np.array(numbers, np.int32))
    for signature in signatures:
        for entry in [*signature.inputs, *signature.outputs]:
            entry.tensorIndex = new[int(entry.tensorIndex)]
    graph.tensors = [graph.tensors[number] for number in needed]
