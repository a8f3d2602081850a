"""Teachers in LiteRT files, in float or in whole numbers."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.edge.interpreter import calls, open_interpreter
from kdtasks.learn.networks.keras_files import kind_of
from kdtasks.learn.teachers.formats import (
    OpenedNetwork,
    TeacherFormat,
    require_one_of_each,
    teacher_formats,
)
from kdtasks.learn.teachers.loops import Function, Node, Value, check_loops, refuse_loop

_WHOLE_NUMBERS = (np.int8, np.uint8, np.int16)

# Numbers that count turns, by the codes of the format.
_COUNTS = {2: np.int32, 4: np.int64}
# Where operators name the graphs that they run.
_CALLED = [f"{name}SubgraphIndex" for name in ("cond", "body", "then", "else", "init")]


@teacher_formats.register
class TFLite(TeacherFormat):
    """A LiteRT file; inputs and outputs in whole numbers are rounded as the file says."""

    endings: ClassVar = (".tflite",)

    name: Literal["tflite"] = "tflite"

    def matches(self, path: Path) -> bool:
        """Whether a file is one by its bytes or, where they say nothing, by its name."""
        kind = kind_of(path)
        return super().matches(path) if kind is None else kind == self.name

    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
        content = path.read_bytes()
        check_loops(_functions(content, path), ["0"], str(path))
        interpreter = open_interpreter(content)
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        require_one_of_each(path, inputs, outputs)
        [image], [answer] = inputs, outputs
        for tensor in (image, answer):
            _check_numbers(tensor, path)
        shape = [None if size < 0 else int(size) for size in image["shape_signature"]]
        _prepare(interpreter, image, [size or 1 for size in image["shape"].tolist()], path)
        if shape[0] is None and not _takes(interpreter, image, batch_size=2):
            # Some reshape to one image inside, whatever their input promises.
            shape[0] = 1
            interpreter = open_interpreter(content)

        def run(images: np.ndarray) -> list[np.ndarray]:
            interpreter.resize_tensor_input(image["index"], list(images.shape))
            interpreter.allocate_tensors()
            interpreter.set_tensor(image["index"], _quantized(images, image))
            interpreter.invoke()
            return [_dequantized(np.array(interpreter.get_tensor(answer["index"])), answer)]

        answers = [None if size < 0 else int(size) for size in answer["shape_signature"]]
        return OpenedNetwork.of_shapes(shape, answers, run, None)


def _functions(content: bytes, path: Path) -> dict[str, Function]:
    """The graphs of a file by their numbers; none where no graph runs another."""
    found = calls(content)
    if unknown := sorted({*found} - {"WHILE", "IF", "CALL_ONCE"}):
        refuse_loop(f"the operator {unknown[0]}", str(path))
    if not found:
        return {}
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    codes = (max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes)
    kinds = [names[code].replace("_", "").lower() for code in codes]
    graphs = enumerate(model.subgraphs)
    return {str(number): _function(graph, model.buffers, kinds) for number, graph in graphs}


def _function(graph: Any, buffers: Sequence[Any], kinds: Sequence[str]) -> Function:
    makers: dict[int, Value] = {}  # of a tensor, so far

    def values(numbers: Any) -> tuple[Value, ...]:
        found = () if numbers is None else numbers.tolist()
        return tuple(makers.get(number, (f"tensor {number}", 0)) for number in found)

    arguments = tuple(name for name, _ in values(graph.inputs))
    nodes = {
        f"tensor {number}": Node("const", values=np.frombuffer(data, _COUNTS[tensor.type]))
        for number, tensor in enumerate(graph.tensors)
        if tensor.type in _COUNTS
        and f"tensor {number}" not in arguments
        and (data := buffers[tensor.buffer].data) is not None
    }
    for index, operator in enumerate(graph.operators):
        options = vars(operator.builtinOptions) if operator.builtinOptions else {}
        called = tuple(str(options[name]) for name in _CALLED if name in options)
        nodes[str(index)] = Node(kinds[operator.opcodeIndex], values(operator.inputs), called)
        made = operator.outputs.tolist()
        makers |= {number: (str(index), output) for output, number in enumerate(made)}
    return Function(arguments, values(graph.outputs), nodes)


def _prepare(interpreter: Any, image: Any, shape: list[int], path: Path) -> None:
    """Make LiteRT look for a kernel for each operation.

    Raises:
        TeacherError: it has none for one of them.
    """
    try:
        interpreter.resize_tensor_input(image["index"], shape)
        interpreter.allocate_tensors()
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        if flex := re.search(r"\bFlex(\w+)", reason):
            what = f"the TensorFlow operation {flex[1]} (a select operation)"
        elif custom := re.search(r"unresolved custom op: (\w+)", reason):
            what = f"the custom operation {custom[1]}"
        else:
            what = f"an operation that it cannot prepare ({reason[:300]})"
        raise TeacherError(
            f"teacher.path: {path} needs {what}, which LiteRT does not have here; convert the "
            "network without it (only `tf.lite.OpsSet.TFLITE_BUILTINS`), or import it as `.keras`, "
            "SavedModel or `.onnx`"
        ) from error


def _takes(interpreter: Any, image: Any, *, batch_size: int) -> bool:
    shape = [batch_size, *image["shape"].tolist()[1:]]
    try:
        interpreter.resize_tensor_input(image["index"], shape)
        interpreter.allocate_tensors()
        interpreter.invoke()
    except (RuntimeError, ValueError):
        return False
    [answer] = interpreter.get_output_details()
    return bool(interpreter.get_tensor(answer["index"]).shape[0] == batch_size)


def _check_numbers(tensor: Any, path: Path) -> None:
    kind, (scale, _) = tensor["dtype"], tensor["quantization"]
    if kind == np.float32 or (kind in _WHOLE_NUMBERS and (scale or kind == np.uint8)):
        return
    raise TeacherError(
        f"teacher.path: tensor {tensor['name']!r} of {path} is {np.dtype(kind).name}, without a "
        "scale that says what its numbers mean; give a version with float32 inputs and outputs"
    )


def _quantized(values: np.ndarray, tensor: Any) -> np.ndarray:
    """Round to the nearest number of a tensor; without a scale a number means itself."""
    kind, (scale, zero) = tensor["dtype"], tensor["quantization"]
    if kind == np.float32:
        return values.astype(np.float32)
    limits = np.iinfo(kind)
    return np.clip(np.rint(values / (scale or 1.0)) + zero, limits.min, limits.max).astype(kind)


def _dequantized(numbers: np.ndarray, tensor: Any) -> np.ndarray:
    scale, zero = tensor["quantization"]
    if tensor["dtype"] == np.float32:
        return numbers
    return (numbers.astype(np.float32) - zero) * np.float32(scale or 1.0)
