"""How much memory a microcontroller needs, asked of TensorFlow Lite Micro on this machine.

Its Python package runs the interpreter that microcontrollers run. That knows one graph a file, so
each segment gets a file of its own.
"""

import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, NamedTuple

from kdtasks.compress.tflite.editing import write_model
from kdtasks.compress.tflite.graph import Graph, operator_name, read_graphs, read_model
from kdtasks.core.errors import BundleError, explained
from kdtasks.core.stderr import held_stderr
from kdtasks.edge.interpreter import open_interpreter

_AMPLE = 64 * 2**20
_ALIGNMENT = 16

# As often as this a trial may end its process: preparing takes a few hundred bytes more than told.
_MOST_ENDS = 64


class Arena(NamedTuple):
    """Memory that one segment takes, in bytes.

    Attributes:
        file: size of the segment's `.tflite`, which stays in flash.
        total: the smallest arena that its interpreter can be made in.
        scratch: the part of it that holds tensors while the segment runs.
        kept: the part in use as long as the interpreter lives; pointers in it have 8 bytes on this
            machine, and 4 on most microcontrollers.
    """

    file: int
    total: int
    scratch: int
    kept: int


def measure_arenas(content: bytes) -> dict[str, Arena]:
    """Measure what each signature of a `.tflite` needs: name to arena.

    Raises:
        BundleError: tflite-micro is not installed, or does not know an operator.
    """
    return {name: _measure(name, part) for name, part in split_signatures(content).items()}


def _measure(name: str, part: bytes) -> Arena:
    problem = "module tflite_micro, which measures arenas, is missing"
    with explained(BundleError, problem, "pip install tflite-micro", ModuleNotFoundError):
        import tflite_micro  # noqa: F401
    with held_stderr() as captured:
        is_known = _opens(part, _AMPLE)
        text = captured()
    if not is_known:
        raise BundleError(
            f"TensorFlow Lite Micro cannot run {name} ({' '.join(text.split())[:200]}); use "
            "operators that it knows, in int8"
        )
    sizes = dict(re.findall(r"Arena allocation (total|head|tail)\s+(\d+) bytes", text))
    if set(sizes) != {"total", "head", "tail"}:
        raise BundleError(
            f"tflite-micro does not say what {name} needs ({' '.join(text.split())[:200]}); use "
            "another version of it"
        )
    # Preparing takes more than what stays, for a moment: how much, only trying tells.
    with held_stderr():
        total = _smallest(name, part, int(sizes["total"]))
    return Arena(len(part), total, int(sizes["head"]), int(sizes["tail"]))


def _opens(part: bytes, size: int) -> bool:
    from tflite_micro import runtime

    try:
        runtime.Interpreter.from_bytes(part, arena_size=size).print_allocations()
    except (RuntimeError, ValueError):
        return False
    return True


def _smallest(name: str, part: bytes, needed: int) -> int:
    """Try growing arenas, in a process of their own: one that is too small may end it."""
    size = needed
    for _ in range(_MOST_ENDS):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as trials:
            try:
                while not trials.submit(_opens, part, size).result():
                    size += _ALIGNMENT
                return size
            except BrokenProcessPool:
                size += _ALIGNMENT
    raise BundleError(
        f"the smallest arena of {name} cannot be found: tflite-micro says {needed:,} bytes, and "
        f"its process ends with {size:,} as well; call this from a program that starts under "
        "`if __name__ == '__main__'`"
    )


def feature_offsets(graphs: Sequence[Graph]) -> tuple[dict[str, int], int]:
    """Lay out the features that segments hand on, while one arena serves all in turn.

    A place is free again as soon as the last segment that takes its features has them.

    Args:
        graphs: the segments, in order.

    Returns: name of the features to their first byte, and the bytes of all.
    """
    last = {name: k for k, graph in enumerate(graphs) for name in graph.inputs}
    offsets: dict[str, int] = {}
    ends: dict[str, int] = {}
    most = 0
    for k, graph in enumerate(graphs):
        end = max((end for name, end in ends.items() if last[name] > k), default=0)
        for name, number in graph.outputs.items():
            if name in last:
                offsets[name] = end
                end = ends[name] = end + graph.tensors[number].bytes
        most = max(most, end)
    return offsets, most


def split_signatures(content: bytes) -> dict[str, bytes]:
    """Give each signature's own file, with that signature in it: name to content.

    Raises:
        BundleError: the file cannot be read, has no signatures, or one runs another graph, as loops
            and branches do.
    """
    names = sorted(definition.signatureKey for definition in read_model(content).signatureDefs)
    # Each part is cut from a copy of its own.
    return {name.decode(): _cut_out(read_model(content), name) for name in names}


def _cut_out(model: Any, name: bytes) -> bytes:
    definition = next(entry for entry in model.signatureDefs if entry.signatureKey == name)
    graph = model.subgraphs[definition.subgraphIndex]
    if {"IF", "WHILE", "CALL_ONCE"} & {
        operator_name(model, operator) for operator in graph.operators
    }:
        raise BundleError(
            f"{name.decode()} has loops or branches, which run other graphs of the file; it cannot "
            "become a file of its own"
        )
    codes = sorted({operator.opcodeIndex for operator in graph.operators})
    for operator in graph.operators:
        operator.opcodeIndex = codes.index(operator.opcodeIndex)
    # Buffer 0 is empty by convention: that of tensors without values.
    buffers = list(dict.fromkeys([0, *(tensor.buffer for tensor in graph.tensors)]))
    for tensor in graph.tensors:
        tensor.buffer = buffers.index(tensor.buffer)
    model.buffers = [model.buffers[index] for index in buffers]
    model.operatorCodes = [model.operatorCodes[index] for index in codes]
    model.subgraphs, model.signatureDefs, definition.subgraphIndex = [graph], [definition], 0
    model.metadata, model.metadataBuffer = [], None
    return write_model(model)


def delegated_operators(content: bytes) -> dict[str, list[bool]]:
    """Tell of every signature which of its operators the default delegate takes.

    Returns: name of the signature to one answer for each operator, in the order of `read_graphs`.

    Raises:
        BundleError: as `split_signatures`.
    """
    # LiteRT tells of a file's first graph alone, so each signature gets a file.
    return {name: _delegated(part) for name, part in split_signatures(content).items()}


def _delegated(content: bytes) -> list[bool]:
    interpreter = open_interpreter(content)
    (graph,) = read_graphs(content)
    producers = {
        made: position
        for position, operator in enumerate(graph.operators)
        for made in operator.outputs
    }
    taken = [False] * len(graph.operators)
    for node in interpreter._get_ops_details():
        if node["op_name"] != "DELEGATE":
            continue
        begins = {int(number) for number in node["inputs"]}
        open_tensors = [int(number) for number in node["outputs"]]
        while open_tensors:
            number = open_tensors.pop()
            position = producers.get(number)
            if number in begins or position is None or taken[position]:
                continue
            taken[position] = True
            open_tensors += graph.operators[position].inputs
    return taken
