"""What a `.tflite` computes: the operators and tensors of a signature, compute and weights."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from kdtasks.core.errors import BundleError

_BITS = {
    **dict.fromkeys(("int4", "uint4"), 4),
    **dict.fromkeys(("bool", "int8", "uint8"), 8),
    **dict.fromkeys(("float16", "int16", "uint16"), 16),
    **dict.fromkeys(("float32", "int32", "uint32"), 32),
    **dict.fromkeys(("float64", "int64", "uint64"), 64),
}

# Operations with a kernel, and the place of the kernel among their inputs.
_KERNELS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}


class Tensor(NamedTuple):
    """A tensor of a signature.

    Attributes:
        name: as the converter called it.
        shape: [] for a scalar.
        dtype: of LiteRT, such as `float32` or `int8`.
        scale: of quantised numbers, the largest where each filter has one; null elsewhere.
        zero_point: what stands for 0, of the first channel.
        channels: how many scales it has; 0 where it is not quantised.
        bytes: of its values.
        buffer: place of its constant values in the file; null where it is computed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int
    channels: int
    bytes: int
    buffer: int | None


class Operator(NamedTuple):
    """An operator of a signature.

    Attributes:
        name: of LiteRT, such as `CONV_2D`; a custom one's own.
        inputs, outputs: numbers of tensors; −1 where an optional input is left out.
        macs: multiply-accumulates.
        weight_bytes: of its constant inputs.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    macs: int
    weight_bytes: int


class Graph(NamedTuple):
    """One signature.

    Attributes:
        signature: its name, such as `segment_0`.
        inputs, outputs: name in the signature to number of tensor.
        operators: in the order in which they run.
        tensors: by their numbers.
    """

    signature: str
    inputs: dict[str, int]
    outputs: dict[str, int]
    operators: tuple[Operator, ...]
    tensors: tuple[Tensor, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole signature."""
        return sum(operator.macs for operator in self.operators)

    @property
    def weights(self) -> dict[int, int]:
        """Place in the file to bytes of every constant tensor that an operator takes."""
        taken = {number for operator in self.operators for number in operator.inputs if number >= 0}
        return {
            tensor.buffer: tensor.bytes
            for tensor in (self.tensors[number] for number in sorted(taken))
            if tensor.buffer is not None
        }


def read_graphs(content: bytes) -> tuple[Graph, ...]:
    """Read every signature of a `.tflite`, sorted by name.

    Raises:
        BundleError: it cannot be read, or has no signatures.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        found = [_graph(model, definition, schema) for definition in model.signatureDefs or []]
    except Exception as error:  # struct.error and all else that reading cut bytes can raise
        raise BundleError(
            f"the model cannot be taken apart ({error}); fetch or export it again"
        ) from None
    if not found:
        raise BundleError("the model has no signatures; convert one for each segment")
    return tuple(sorted(found))


def _graph(model: Any, definition: Any, schema: Any) -> Graph:
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    types = {value: name.lower() for name, value in vars(schema.TensorType).items()}
    graph = model.subgraphs[definition.subgraphIndex]
    tensors = tuple(_tensor(tensor, types, model.buffers) for tensor in graph.tensors)
    operators = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        # files of before 2020 have the first 127 operators in the other field alone
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if code.customCode:
            name = code.customCode.decode()
        inputs, outputs = _numbers(operator.inputs), _numbers(operator.outputs)
        given = [tensors[number] if number >= 0 else None for number in inputs]
        macs = _MACS[name](given, tensors[outputs[0]]) if name in _MACS else 0
        constant = sum(tensor.bytes for tensor in given if tensor and tensor.buffer is not None)
        operators.append(Operator(name, inputs, outputs, macs, constant))
    return Graph(
        definition.signatureKey.decode(),
        {entry.name.decode(): entry.tensorIndex for entry in definition.inputs or []},
        {entry.name.decode(): entry.tensorIndex for entry in definition.outputs or []},
        tuple(operators),
        tensors,
    )


def _tensor(tensor: Any, types: dict[int, str], buffers: list[Any]) -> Tensor:
    shape = _numbers(tensor.shape)
    dtype = types[tensor.type]
    found = tensor.quantization.scale if tensor.quantization else None
    scales = [float(scale) for scale in found] if found is not None else []
    zero_points = _numbers(tensor.quantization.zeroPoint) if tensor.quantization else ()
    data = buffers[tensor.buffer].data
    constant = data is not None and len(data) > 0
    return Tensor(
        tensor.name.decode() if tensor.name else "",
        shape,
        dtype,
        max(scales, default=None),
        zero_points[0] if zero_points else 0,
        len(scales),
        len(data) if constant else -(-prod(shape) * _BITS.get(dtype, 0) // 8),
        tensor.buffer if constant else None,
    )


def _numbers(vector: Any) -> tuple[int, ...]:
    return () if vector is None else tuple(int(number) for number in vector)


Given = list[Tensor | None]


def _shape(tensor: Tensor | None) -> tuple[int, ...]:
    return tensor.shape if tensor else ()


def _per_output(given: Given, output: Tensor) -> int:
    """Kernel [filters, …] for each value given: CONV_2D, also grouped, and FULLY_CONNECTED."""
    return prod(output.shape) * prod(_shape(given[1])[1:])


def _depthwise(given: Given, output: Tensor) -> int:
    return prod(output.shape) * prod(_shape(given[1])[1:3])


def _transposed(given: Given, output: Tensor) -> int:
    """Each value taken, of the third input, meets the kernel [filters, height, width, channels]."""
    kernel = _shape(given[1])
    return prod(_shape(given[2])) * prod(kernel[:3])


def _matrices(given: Given, output: Tensor) -> int:
    return prod(output.shape) * _shape(given[0])[-1]


_MACS: dict[str, Callable[[Given, Tensor], int]] = {
    "CONV_2D": _per_output,
    "FULLY_CONNECTED": _per_output,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "BATCH_MATMUL": _matrices,
}


@dataclass(frozen=True)
class Kernels:
    """The kernels of an exported file, each counted once however many segments share it.

    Attributes:
        weights: number of weights in all kernels.
        zeros: how many of them are zero.
        distinct_values: the most different values within one filter.
    """

    weights: int
    zeros: int
    distinct_values: int

    @property
    def sparsity(self) -> float:
        """Share of the weights that are zero."""
        return self.zeros / self.weights if self.weights else 0.0


def signature_types(content: bytes) -> dict[str, dict[str, str]]:
    """Name the numbers of every input and output: signature to tensor to dtype."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    found = {}
    for name in sorted(interpreter.get_signature_list()):
        runner = interpreter.get_signature_runner(name)
        details = {**runner.get_input_details(), **runner.get_output_details()}
        found[name] = {
            tensor: np.dtype(detail["dtype"]).name for tensor, detail in sorted(details.items())
        }
    return found


def inspect_kernels(content: bytes) -> Kernels:
    """Count the weights of the kernels of convolutions and dense layers."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    types = {value: name.lower() for name, value in vars(schema.TensorType).items()}
    seen: dict[int, np.ndarray] = {}
    for graph in model.subgraphs:
        made_by = {output: operator for operator in graph.operators for output in operator.outputs}
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            if names.get(code) not in _KERNELS:
                continue
            index = operator.inputs[_KERNELS[names[code]]]
            if index in made_by:  # float16 weights pass through a DEQUANTIZE
                index = made_by[index].inputs[0]
            tensor = graph.tensors[index]
            data = model.buffers[tensor.buffer].data
            if data is None:
                continue
            values = np.frombuffer(bytes(data), types[tensor.type]).reshape(tensor.shape)
            # Filters along the first axis; of a depthwise kernel [1, h, w, filters] along the last.
            if names[code] == "DEPTHWISE_CONV_2D":
                values = np.moveaxis(values, -1, 0)
            seen[tensor.buffer] = values.reshape(len(values), -1)
    filters = [row for kernel in seen.values() for row in kernel]
    return Kernels(
        weights=sum(row.size for row in filters),
        zeros=sum(int(np.count_nonzero(row == 0)) for row in filters),
        distinct_values=max((len(np.unique(row)) for row in filters), default=0),
    )
