"""Teachers in ONNX files, PyTorch's way out, run by onnxruntime."""

import shutil
import tempfile
from collections.abc import Sequence
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

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_CHANNELS = (1, 3)


@teacher_formats.register
class ONNX(TeacherFormat):
    """An ONNX file with its weights inside, channels first as PyTorch has them, or last."""

    endings: ClassVar = (".onnx",)

    name: Literal["onnx"] = "onnx"

    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
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
            [found] = session.run(None, {image.name: np.ascontiguousarray(given, dtype=kind)})
            found = np.asarray(found, np.float32)
            return [np.moveaxis(found, 1, -1) if first and found.ndim == 4 else found]

        if first:
            shape = _channels_last(shape)
            answers = _channels_last(answers) if len(answers) == 4 else answers
        return OpenedNetwork.of_shapes(shape, answers, run, None)


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
