"""Change the tables of a `.tflite`: find what an operator is, add constants and operators."""

from typing import Any

import numpy as np

from kdtasks.core.errors import ExportError

# Where the format wants weights to begin, so that a program may map the file and compute.
_WEIGHT_ALIGNMENT = 16


class Tables:
    """The tables of a model that is about to be changed, in the objects of the format's schema.

    Attributes:
        model: the `ModelT`.
        schema: its module.
    """

    def __init__(self, content: bytes) -> None:
        """Read a file.

        Raises:
            ExportError: it keeps its weights outside the tables, as those beyond 2 GB do.
        """
        # The converter's own, so nothing that it wrote is unknown here.
        from tensorflow.lite.python import schema_py_generated as schema

        self.schema = schema
        self.model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
        if any(buffer.offset for buffer in self.model.buffers):
            raise ExportError(
                "the model keeps its weights outside the tables, as files beyond 2 GB do; only "
                "smaller ones can be rewritten"
            )

    def is_a(self, operator: Any, kind: str) -> bool:
        """Whether an operator is of this kind, a name of `BuiltinOperator`."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        # files of before 2020 have the first 127 operators in the other field alone
        found = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
        return found == getattr(self.schema.BuiltinOperator, kind)

    def opcode(self, kind: str, version: int) -> int:
        """Index of an operator's code, which is added if the file has none."""
        builtin = getattr(self.schema.BuiltinOperator, kind)
        for index, code in enumerate(self.model.operatorCodes):
            if (code.builtinCode, code.version) == (builtin, version):
                return index
        code = self.schema.OperatorCodeT()
        code.builtinCode = builtin
        code.deprecatedBuiltinCode = min(
            builtin, self.schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
        )
        code.version = version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def buffer(self, tensor: Any) -> Any:
        """Where the values of a tensor are."""
        return self.model.buffers[tensor.buffer]

    def values(self, tensor: Any) -> np.ndarray:
        """The values of a constant tensor, in its shape."""
        types = {value: name for name, value in vars(self.schema.TensorType).items()}
        values = np.asarray(self.buffer(tensor).data, np.uint8).tobytes()
        return np.frombuffer(values, np.dtype(types[tensor.type].lower())).reshape(tensor.shape)

    def copy(self, tensor: Any, name: bytes) -> Any:
        """A tensor of the same type, scales and values under another name; in no graph yet."""
        copied, scales = self.schema.TensorT(), self.schema.QuantizationParametersT()
        vars(copied).update(vars(tensor))
        if tensor.quantization is not None:
            vars(scales).update(vars(tensor.quantization))
            copied.quantization = scales
        copied.name = name
        return copied

    def add(self, graph: Any, tensor: Any, values: np.ndarray | None = None) -> int:
        """Put a tensor into a graph, a constant if there are values; gives its number."""
        if values is not None:
            tensor.shape = np.array(values.shape, np.int32)
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1


def remove_unused(model: Any) -> None:
    """Remove tensors that no operator, input or output names, and the values of dropped constants.

    A microcontroller's interpreter gives every tensor its place in memory, needed or not.

    Args:
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


def pack(content: bytes) -> bytes:
    """Write a file of the converter anew, so that equal vectors and names share their place in it.

    The converter repeats a row of zeros, eight bytes a filter, beside the scales of every kernel
    and every bias, and shapes and lists in every signature. It names a tensor by all operations
    that it was made of, a hundred letters of them, and so the weights and biases; here they are
    named by their layer. A file that keeps its weights outside the tables, as those beyond 2 GB
    do, stays as it is.
    """
    # The converter's own, so nothing that it wrote is unknown here.
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if any(buffer.offset for buffer in model.buffers):
        return content
    for graph in model.subgraphs:
        outside = {int(number) for number in [*graph.inputs, *graph.outputs]}
        for number, tensor in enumerate(graph.tensors):
            if number not in outside and tensor.name:
                tensor.name = _layer_of(tensor.name)
    return write_model(model)


def _layer_of(name: bytes) -> bytes:
    """`stem_conv` of `segment_0/stem_norm/FusedBatchNormV3;segment_0/stem_conv/Conv2D1`."""
    parts = name.rpartition(b";")[2].split(b"/")
    return parts[1] if len(parts) > 1 and parts[0].startswith(b"segment_") else name


def write_model(model: Any) -> bytes:
    """Write a `ModelT` of the format's schema; equal vectors and names share their place."""
    import flatbuffers

    class SharingBuilder(flatbuffers.Builder):
        """A builder that remembers where it has put every vector of numbers and every name."""

        def __init__(self) -> None:
            super().__init__()
            self._places: dict[tuple[str, bytes], int] = {}

        def CreateString(self, s: Any, *options: Any) -> int:  # noqa: N802
            key = ("name", s if isinstance(s, bytes) else s.encode())
            if key not in self._places:
                self._places[key] = int(super().CreateString(s, *options))
            return self._places[key]

        def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
            if elemSize == 1:
                alignment = _WEIGHT_ALIGNMENT
            return int(super().StartVector(elemSize, numElems, alignment))

        def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802
            key = (x.dtype.str, x.tobytes())
            if key not in self._places:
                self._places[key] = super().CreateNumpyVector(x)
            return self._places[key]

    builder = SharingBuilder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
