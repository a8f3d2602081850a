"""Look into an exported file: numbers of its tensors, zeros and values of its kernels."""

from dataclasses import dataclass

import numpy as np

# Operations with a kernel, and the place of the kernel among their inputs.
_KERNELS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}


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
