"""What a `.tflite` computes: the operators and tensors of a signature, compute and weights."""

from math import prod
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kdtasks.core.errors import BundleError, explained

_OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items()}
_DTYPES = {code: name.lower() for name, code in vars(schema.TensorType).items()}
_KINDS = ("int", "uint", "float")
_BITS = {"bool": 8} | {f"{kind}{bits}": bits for kind in _KINDS for bits in (4, 8, 16, 32, 64)}

# Operations whose second input is a kernel.
_WITH_KERNEL = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


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
        inputs, outputs: numbers of tensors; −1 where an optional input is omitted.
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
        inputs, outputs: name in the signature to number of tensor, in the order of the graph, which
            is all that an interpreter without signatures knows.
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
        tensors = [self.tensors[number] for number in sorted(taken)]
        return {tensor.buffer: tensor.bytes for tensor in tensors if tensor.buffer is not None}


def read_model(content: bytes) -> Any:
    """Read the tables of a `.tflite`, a `ModelT` of the format's schema.

    Raises:
        BundleError: it cannot be read, or has no signatures.
    """
    problem, advice = "the model cannot be taken apart", "fetch or export it again"
    # struct.error and all else that reading cut bytes can raise
    with explained(BundleError, problem, advice, Exception):
        model = schema.ModelT.InitFromPackedBuf(content, 0)
    if not model.signatureDefs:
        raise BundleError("the model has no signatures; convert one for each segment")
    return model


def operator_name(model: Any, operator: Any) -> str:
    """Name an operator of a `ModelT` as `BuiltinOperator` does; a custom one has its own."""
    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode:
        return str(code.customCode.decode())
    # files of before 2020 have the first 127 operators in the other field alone
    return _OPERATORS[max(int(code.builtinCode), int(code.deprecatedBuiltinCode))]


def constant_values(model: Any, tensor: Any) -> np.ndarray | None:
    """Values of a constant tensor of a `ModelT`, in its shape; null where it is computed."""
    data = model.buffers[tensor.buffer].data
    if data is None:
        return None
    return np.frombuffer(bytes(data), _DTYPES[tensor.type]).reshape(tensor.shape)


def read_graphs(content: bytes) -> tuple[Graph, ...]:
    """Read every signature of a `.tflite`, sorted by name.

    Raises:
        BundleError: it cannot be read, or has no signatures.
    """
    model = read_model(content)
    return tuple(sorted(_graph(model, definition) for definition in model.signatureDefs))


def _graph(model: Any, definition: Any) -> Graph:
    graph = model.subgraphs[definition.subgraphIndex]
    tensors = tuple(_tensor(tensor, model.buffers) for tensor in graph.tensors)
    operators = []
    for operator in graph.operators:
        name = operator_name(model, operator)
        inputs, outputs = _numbers(operator.inputs), _numbers(operator.outputs)
        given = [tensors[number] if number >= 0 else None for number in inputs]
        macs = _count_macs(name, given, tensors[outputs[0]])
        constant = sum(tensor.bytes for tensor in given if tensor and tensor.buffer is not None)
        operators.append(Operator(name, inputs, outputs, macs, constant))
    return Graph(
        definition.signatureKey.decode(),
        _in_order(definition.inputs, graph.inputs),
        _in_order(definition.outputs, graph.outputs),
        tuple(operators),
        tensors,
    )


def _in_order(entries: Any, numbers: Any) -> dict[str, int]:
    positions = {number: position for position, number in enumerate(_numbers(numbers))}
    ordered = sorted(entries or [], key=lambda entry: positions[entry.tensorIndex])
    return {entry.name.decode(): entry.tensorIndex for entry in ordered}


def _tensor(tensor: Any, buffers: list[Any]) -> Tensor:
    shape, dtype = _numbers(tensor.shape), _DTYPES[tensor.type]
    quantization = tensor.quantization or schema.QuantizationParametersT()
    scales = [] if quantization.scale is None else [float(scale) for scale in quantization.scale]
    zero_points = _numbers(quantization.zeroPoint)
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


def _count_macs(name: str, given: list[Tensor | None], output: Tensor) -> int:
    """Multiply-accumulates of an operator, from what it takes and the first tensor it makes."""
    shapes = [tensor.shape if tensor else () for tensor in given]
    match name:
        case "CONV_2D" | "FULLY_CONNECTED":  # a kernel [filters, …] for each value made
            return prod(output.shape) * prod(shapes[1][1:])
        case "DEPTHWISE_CONV_2D":  # [1, height, width, filters]
            return prod(output.shape) * prod(shapes[1][1:3])
        case "TRANSPOSE_CONV":  # each value of the third input meets [filters, height, width]
            return prod(shapes[2]) * prod(shapes[1][:3])
        case "BATCH_MATMUL":
            return prod(output.shape) * shapes[0][-1]
        case _:
            return 0


class Kernels(NamedTuple):
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
        """Fraction of the weights that are zero."""
        return self.zeros / self.weights if self.weights else 0.0


def signature_types(content: bytes) -> dict[str, dict[str, str]]:
    """Name the numbers of every input and output: signature to tensor to dtype."""
    return {
        graph.signature: {
            name: graph.tensors[number].dtype
            for name, number in sorted({**graph.inputs, **graph.outputs}.items())
        }
        for graph in read_graphs(content)
    }


def inspect_kernels(content: bytes) -> Kernels:
    """Count the weights of the kernels of convolutions and dense layers."""
    model = read_model(content)
    kernels: dict[int, np.ndarray] = {}
    for graph in model.subgraphs:
        producers = {
            output: operator for operator in graph.operators for output in operator.outputs
        }
        for operator in graph.operators:
            name = operator_name(model, operator)
            if name not in _WITH_KERNEL:
                continue
            index = operator.inputs[1]
            if index in producers:  # float16 weights pass through a DEQUANTIZE
                index = producers[index].inputs[0]
            tensor = graph.tensors[index]
            values = constant_values(model, tensor)
            if values is None:
                continue
            # Filters along the first axis; of a depthwise kernel [1, h, w, filters] along the last.
            if name == "DEPTHWISE_CONV_2D":
                values = np.moveaxis(values, -1, 0)
            kernels[tensor.buffer] = values.reshape(len(values), -1)
    filters = [row for kernel in kernels.values() for row in kernel]
    return Kernels(
        weights=sum(row.size for row in filters),
        zeros=sum(int(np.count_nonzero(row == 0)) for row in filters),
        distinct_values=max((len(np.unique(row)) for row in filters), default=0),
    )
