"""Run a `.tflite` segment by segment and look at every tensor."""

from typing import Any

import numpy as np

from kdtasks.compress.tflite.arena import split_signatures
from kdtasks.compress.tflite.graph import Graph, Tensor, read_graphs


class Trace:
    """A file whose tensors stay readable; it runs without delegates, one image at a time.

    Attributes:
        graphs: signature to graph, in the order of the segments.
    """

    def __init__(self, content: bytes) -> None:
        """Open a file.

        Raises:
            BundleError: it cannot be read, or has no signatures.
        """
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        graphs = sorted(
            read_graphs(content), key=lambda graph: int(graph.signature.rpartition("_")[2])
        )
        self.graphs: dict[str, Graph] = {graph.signature: graph for graph in graphs}
        self._interpreters: dict[str, Any] = {}
        for name, part in split_signatures(content).items():
            self._interpreters[name] = Interpreter(
                model_content=part,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
            self._interpreters[name].allocate_tensors()

    def run(self, image: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        """Run all segments on one image, uint8 [height, width, channels].

        Returns: signature and name of every tensor that is put in or computed to its values,
            float64; whole numbers are taken back to what they stand for.
        """
        given, tensors = {"image": image[np.newaxis].astype(np.float64)}, {}
        for signature, graph in self.graphs.items():
            interpreter = self._interpreters[signature]
            for name, number in graph.inputs.items():
                interpreter.set_tensor(number, quantized(given[name], graph.tensors[number]))
            interpreter.invoke()
            made = [number for operator in graph.operators for number in operator.outputs]
            for number in [*graph.inputs.values(), *made]:
                tensor = graph.tensors[number]
                values = interpreter.get_tensor(number)
                tensors[signature, tensor.name] = dequantized(values, tensor)
            for name, number in graph.outputs.items():
                given[name] = tensors[signature, graph.tensors[number].name]
        return tensors


def quantized(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Round numbers to those of a tensor, in its type."""
    if tensor.scale is None:
        return values.astype(tensor.dtype)
    limits = np.iinfo(tensor.dtype)
    rounded = np.rint(values / tensor.scale) + tensor.zero_point
    return np.clip(rounded, limits.min, limits.max).astype(tensor.dtype)


def dequantized(stored: np.ndarray, tensor: Tensor) -> np.ndarray:
    """What the numbers of a tensor stand for, float64."""
    if tensor.scale is None:
        return stored.astype(np.float64)
    real: np.ndarray = (stored.astype(np.float64) - tensor.zero_point) * tensor.scale
    return real
