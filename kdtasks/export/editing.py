"""Change the tables of a `.tflite`: find what an operator is, add constants and operators."""

from typing import Any

import numpy as np

from kdtasks.errors import ExportError


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
