"""Teachers in ONNX files, PyTorch's way out, run by onnxruntime."""

import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.formats import (
    OpenedNetwork,
    TeacherFormat,
    require_one_of_each,
    teacher_formats,
)
from kdtasks.learn.teachers.loops import MOST_TURNS, Function, Node, Sizes, refuse_loop

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_CHANNELS = (1, 3)

# Of onnx.proto all that tells loops: messages, and the number, kind and name of their fields.
_MESSAGES = """
    Model 7:Graph:graph 25:*Function:functions
    Function 7:*Node:node
    Graph 1:*Node:node 5:*Tensor:initializer
    Node 1:*str:input 2:*str:output 4:str:op_type 5:*Attribute:attribute
    Attribute 1:str:name 3:int:i 5:Tensor:t 6:Graph:g 11:*Graph:graphs
    Tensor 1:*int:dims 2:int:data_type 5:*int:int32_data 7:*int:int64_data 8:str:name 9:raw:raw_data
"""
_COUNTS = {6: np.int32, 7: np.int64}  # numbers that count turns, by the codes of the format


@teacher_formats.register
class ONNX(TeacherFormat):
    """An ONNX file with its weights inside, channels first as PyTorch has them, or last."""

    endings: ClassVar = (".onnx",)

    name: Literal["onnx"] = "onnx"

    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
        check_onnx_loops(path.read_bytes(), str(path))
        session = _session(path)
        inputs, outputs = session.get_inputs(), session.get_outputs()
        require_one_of_each(path, inputs, outputs)
        [image], [answer] = inputs, outputs
        if image.type not in _TYPES:
            raise TeacherError(
                f"teacher.path: {path} takes {image.type}; a teacher takes images in float32, "
                "float16 or uint8: export it so"
            )
        shape, answers = (_sizes(tensor.shape) for tensor in (image, answer))
        if len(shape) != 4:
            raise TeacherError(
                f"teacher.path: {path} takes tensors of {len(shape)} dimensions; a teacher takes "
                "images: number, channels, height, width, or with the channels last"
            )
        # ONNX has channels first; files that were converted from TensorFlow may have them last.
        first = shape[1] in _CHANNELS or shape[3] not in _CHANNELS
        kind = _TYPES[image.type]

        def run(images: np.ndarray) -> list[np.ndarray]:
            given = np.moveaxis(images, -1, 1) if first else images
            given = np.rint(given) if kind == np.uint8 else given
            [output] = session.run(None, {image.name: np.ascontiguousarray(given, dtype=kind)})
            output = np.asarray(output, np.float32)
            return [np.moveaxis(output, 1, -1) if first and output.ndim == 4 else output]

        if first:
            shape = _channels_last(shape)
            answers = _channels_last(answers) if len(answers) == 4 else answers
        return OpenedNetwork.of_shapes(shape, answers, run, None)


def check_onnx_loops(content: bytes, source: str) -> None:
    """Refuse a file with a loop whose number of turns is not known to be small.

    `Scan` goes over the rows of a tensor, and no function may call itself in ONNX.

    Raises:
        TeacherError: there is one.
    """
    model = _message("Model").FromString(content)
    for part in (model.graph, *model.functions):
        pairs = [*_nodes(part)]
        times = Counter(name for name, _ in pairs)  # more than once is no name that can be trusted
        nodes = {name: node for name, node in pairs if times[name] == 1}
        sizes = Sizes(Function((), (), nodes))
        for _, node in pairs:
            if node.kind == "loop" and not sizes.of(node.inputs[0]) <= MOST_TURNS:
                refuse_loop("a loop that may never end", source)


def _nodes(part: Any) -> Iterator[tuple[str, Node]]:
    """Every node of a graph and of those inside it, by the name of its first output."""
    for tensor in getattr(part, "initializer", ()):
        yield tensor.name, Node("constant", values=_whole_numbers(tensor))
    for node in part.node:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        for attribute in node.attribute:
            for inside in (attribute.g, *attribute.graphs):
                yield from _nodes(inside)
        values = None
        if node.op_type == "Constant":
            if "value" in attributes:
                values = _whole_numbers(attributes["value"].t)
            elif "value_int" in attributes:
                values = np.array(attributes["value_int"].i)
        inputs = tuple((name, 0) for name in node.input) or (("", 0),)
        name = next(filter(None, node.output), "")
        yield name, Node(node.op_type.lower(), inputs, values=values)


def _whole_numbers(tensor: Any) -> np.ndarray | None:
    """The values of a tensor that may count turns; null of any other."""
    kind = _COUNTS.get(tensor.data_type)
    if kind is None or math.prod(tensor.dims) > 16:
        return None
    data = tensor.raw_data or np.array([*tensor.int32_data, *tensor.int64_data], kind).tobytes()
    return np.frombuffer(data, kind)


@cache
def _message(name: str) -> Any:
    """A class that reads a message of ONNX, and skips what it does not know of."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="kdtasks_onnx.proto", package="kdtasks_onnx")
    kinds = {"str": 9, "raw": 12, "int": 3}  # of protobuf; 11 is another message
    for line in _MESSAGES.split("\n")[1:-1]:
        own, *fields = line.split()
        message = file.message_type.add(name=own)
        for text in fields:
            number, kind, field = text.split(":")
            word = kind.removeprefix("*")
            message.field.add(
                name=field,
                number=int(number),
                label=3 if kind.startswith("*") else 1,
                type=kinds.get(word, 11),
                type_name=None if word in kinds else f".kdtasks_onnx.{word}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"kdtasks_onnx.{name}"))


def _session(path: Path) -> Any:
    """Open a file; it can name no code, and sees no other file.

    Raises:
        TeacherError: onnxruntime is not installed, or does not know an operation.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise TeacherError(
            f"teacher.path: {path} is opened by onnxruntime, which is not installed; "
            "`pip install 'kdtasks[onnx]'`"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong comes as an exception
    # Weights in files beside it, or anywhere, are not found from a folder that holds it alone.
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copyfile(path, Path(folder) / "teacher.onnx")
        try:
            return onnxruntime.InferenceSession(
                copy, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # of classes that onnxruntime does not export
            reason = " ".join(str(error).split())
            if "external" in reason.lower():
                raise TeacherError(
                    f"teacher.path: {path} keeps weights in other files; save it as one file "
                    "(`torch.onnx.export(…, external_data=False)`)"
                ) from error
            if "not a registered function" in reason or "is not a registered" in reason:
                raise TeacherError(
                    f"teacher.path: {path} needs an operation that onnxruntime does not have "
                    f"({reason[:300]}); export it without it, or in a lower opset"
                ) from error
            raise


def _sizes(shape: Sequence[Any]) -> list[int | None]:
    """Sizes as numbers; those that have a name instead are free."""
    return [size if isinstance(size, int) and size > 0 else None for size in shape]


def _channels_last(shape: list[int | None]) -> list[int | None]:
    return [shape[0], *shape[2:], shape[1]]
