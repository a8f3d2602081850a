"""Teachers in LiteRT files."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from kdtasks.core.errors import TeacherError
from kdtasks.learn.teachers.formats import (
    OpenedNetwork,
    TeacherFormat,
    require_one_of_each,
    teacher_formats,
)


@teacher_formats.register
class TFLite(TeacherFormat):
    """A LiteRT file with float32 inputs and outputs."""

    endings: ClassVar = (".tflite",)

    name: Literal["tflite"] = "tflite"

    def open(self, path: Path, layers: Sequence[str]) -> OpenedNetwork:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path), num_threads=1)
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        require_one_of_each(path, inputs, outputs)
        for tensor in (inputs[0], outputs[0]):
            if tensor["dtype"] != np.float32:
                raise TeacherError(
                    f"teacher.path: tensor {tensor['name']!r} of {path} is "
                    f"{np.dtype(tensor['dtype']).name}; give the float32 version of this model"
                )

        def run(images: np.ndarray) -> list[np.ndarray]:
            interpreter.resize_tensor_input(inputs[0]["index"], list(images.shape))
            interpreter.allocate_tensors()
            interpreter.set_tensor(inputs[0]["index"], images)
            interpreter.invoke()
            return [np.array(interpreter.get_tensor(outputs[0]["index"]))]

        image, logits = (
            [None if size < 0 else int(size) for size in tensor["shape_signature"]]
            for tensor in (inputs[0], outputs[0])
        )
        return OpenedNetwork.of_shapes(image, logits, run, None)
