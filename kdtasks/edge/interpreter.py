"""The one place that opens LiteRT's interpreter."""

import struct
from collections.abc import Iterator
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


# Operators that run other graphs of the file, by their codes in the format's schema.
_CALLS = {
    31: "CALL",
    118: "IF",
    119: "WHILE",
    129: "CALL_ONCE",
    200: "STABLEHLO_WHILE",
    206: "STABLEHLO_COMPOSITE",
    209: "STABLEHLO_CASE",
}


def calls(content: bytes) -> list[str]:
    """Name the operators of a `.tflite` that run other graphs of it, which may never end.

    Read from the tables themselves: the format's schema takes 40 ms to load.

    Raises:
        struct.error: it is cut.
    """
    return sorted({_CALLS[code] for code in _operator_codes(content) if code in _CALLS})


def _operator_codes(content: bytes) -> Iterator[int]:
    from flatbuffers.number_types import Int8Flags, Int32Flags
    from flatbuffers.table import Table

    model = Table(content, struct.unpack_from("<I", content)[0])
    field = model.Offset(6)
    for index in range(model.VectorLen(field) if field else 0):
        code = Table(content, model.Indirect(model.Vector(field) + 4 * index))
        # LiteRT takes the larger: files of before 2020 have the first alone
        kinds = ((4, Int8Flags), (10, Int32Flags))
        yield max(code.GetSlot(slot, 0, kind) for slot, kind in kinds)
