"""The one place that opens LiteRT's interpreter."""

from contextlib import suppress
from typing import Any

from kdtasks.core.stderr import held_stderr, tells_more_than_information


def open_interpreter(content: bytes, threads: int = 1) -> Any:
    """Open a `.tflite` without a line of LiteRT's about itself; its warnings are written.

    Args:
        content: of the file.
        threads: of the interpreter, at least 1.

    Raises:
        ValueError, RuntimeError: it is no model that LiteRT reads.
    """
    # LiteRT costs 0.2 s, which importing this file must not.
    from ai_edge_litert.interpreter import Interpreter

    with held_stderr(tells_more_than_information):
        interpreter = Interpreter(model_content=content, num_threads=threads)
        with suppress(RuntimeError, ValueError):  # whoever runs it is told the same
            interpreter.allocate_tensors()  # makes XNNPACK's delegate, which is what LiteRT tells
    return interpreter
