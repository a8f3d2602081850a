"""Change the tables of a `.tflite`: find what an operator is, add constants and operators."""

import copy
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kdtasks.compress.tflite.graph import operator_name
from kdtasks.core.errors import ExportError
from kdtasks.edge.manifest import IDENTIFIER

# Where the format wants weights to begin, so that a program may map the file and compute.
_WEIGHT_ALIGNMENT = 16


class Tables:
    """The tables of a model that is about to be changed, in the objects of the format's schema.

    Attributes:
        model: the `ModelT`.
    """

    def __init__(self, content: bytes) -> None:
        """Read a file.

        Raises:
            ExportError: it keeps its weights outside the tables, as those beyond 2 GB do.
        """
        self.model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
        if _weights_are_outside(self.model):
            raise ExportError(
                "the model keeps its weights outside the tables, as files beyond 2 GB do; only "
                "smaller ones can be rewritten"
            )

    def find(self, kind: str) -> list[tuple[Any, Any]]:
        """Every operator of a kind, a name of `BuiltinOperator`, behind its graph."""
        return [
            (graph, operator)
            for graph in self.model.subgraphs
            for operator in graph.operators
            if operator_name(self.model, operator) == kind
        ]

    def turn_into(self, operator: Any, kind: str, version: int, options: Any) -> None:
        """Make an operator one of another kind; inputs and outputs are set elsewhere.

        Args:
            operator: that is changed.
            kind: name in `BuiltinOperator`.
            version: of the kind.
            options: the kind's own, such as a `Conv2DOptionsT`.
        """
        operator.opcodeIndex = self._opcode(getattr(schema.BuiltinOperator, kind), version)
        name = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        operator.builtinOptions = options

    def _opcode(self, builtin: int, version: int) -> int:
        """Index of an operator's code, which is added if the file has none."""
        for index, code in enumerate(self.model.operatorCodes):
            if (code.builtinCode, code.version) == (builtin, version):
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = builtin, version
        code.deprecatedBuiltinCode = min(
            builtin, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
        )
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def add(self, graph: Any, tensor: Any, values: np.ndarray | None = None) -> int:
        """Put a tensor into a graph, a constant if there are values; gives its number."""
        if values is not None:
            tensor.shape = np.array(values.shape, np.int32)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1


def copy_tensor(tensor: Any, name: bytes) -> Any:
    """A tensor of the same type, scales and values under another name; in no graph yet."""
    copied = copy.copy(tensor)
    copied.quantization, copied.name = copy.copy(tensor.quantization), name
    return copied


def _weights_are_outside(model: Any) -> bool:
    return any(buffer.offset for buffer in model.buffers)


def remove_unused(model: Any) -> None:
    """Remove tensors that no operator, input or output names, and the values of dropped constants.

    A microcontroller's interpreter gives every tensor its place in memory, needed or not.

    Args:
        model: a `ModelT` of the format's schema, changed in place.
    """
    for index, graph in enumerate(model.subgraphs):
        own = [entry for entry in model.signatureDefs or [] if entry.subgraphIndex == index]
        _renumber(graph, own)
    needed = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    needed |= {entry.buffer for entry in model.metadata or []}
    for number, buffer in enumerate(model.buffers):
        if number not in needed:
            buffer.data = None


def _renumber(graph: Any, signatures: list[Any]) -> None:
    lists = [
        (part, name)
        for part in (graph, *graph.operators)
        for name in ("inputs", "outputs", "intermediates")
        if getattr(part, name, None) is not None
    ]
    # −1 stands for an input that is omitted
    needed = sorted({int(number) for part, name in lists for number in getattr(part, name)} - {-1})
    new = dict(zip(needed, range(len(needed)), strict=True)) | {-1: -1}
    for part, name in lists:
        numbers = [new[int(number)] for number in getattr(part, name)]
        setattr(part, name, np.array(numbers, np.int32))
    for signature in signatures:
        for entry in [*signature.inputs, *signature.outputs]:
            entry.tensorIndex = new[int(entry.tensorIndex)]
    graph.tensors = [graph.tensors[number] for number in needed]


def deduplicate_tables(content: bytes) -> bytes:
    """Write a file of the converter anew, so that equal vectors and names share their place in it.

    The converter repeats a row of zeros, eight bytes a filter, beside the scales of every kernel
    and every bias, and shapes and lists in every signature. It names a tensor by all operations
    that it was made of, a hundred letters of them, and so the weights and biases; here they are
    named by their layer. A file that keeps its weights outside the tables, as those beyond 2 GB
    do, stays as it is.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if _weights_are_outside(model):
        return content
    for graph in model.subgraphs:
        outside = {int(number) for number in [*graph.inputs, *graph.outputs]}
        for number, tensor in enumerate(graph.tensors):
            if number not in outside and tensor.name:
                tensor.name = layer_of(tensor.name)
    return write_model(model)


def layer_of(name: bytes) -> bytes:
    """`stem_conv` of `segment_0/stem_norm/FusedBatchNormV3;segment_0/stem_conv/Conv2D1`."""
    parts = name.rpartition(b";")[2].split(b"/")
    return parts[1] if len(parts) > 1 and parts[0].startswith(b"segment_") else name


def write_model(model: Any) -> bytes:
    """Write a `ModelT` of the format's schema; equal vectors and names share their place."""
    builder = _SharingBuilder()
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


class _SharingBuilder(flatbuffers.Builder):
    """A builder that remembers where it has put every vector of numbers and every name."""

    def __init__(self) -> None:
        super().__init__()
        self._offsets: dict[tuple[str, bytes], int] = {}

    def CreateString(self, s: Any, *options: Any) -> int:  # noqa: N802
        key = ("name", s if isinstance(s, bytes) else s.encode())
        if key not in self._offsets:
            self._offsets[key] = int(super().CreateString(s, *options))
        return self._offsets[key]

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        if elemSize == 1:
            alignment = _WEIGHT_ALIGNMENT
        return int(super().StartVector(elemSize, numElems, alignment))

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802
        key = (x.dtype.str, x.tobytes())
        if key not in self._offsets:
            self._offsets[key] = super().CreateNumpyVector(x)
        return self._offsets[key]
