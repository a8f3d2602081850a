"""The one place that opens LiteRT's interpreter."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from kdtasks.core.stderr import held_stderr, is_no_information


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

    with held_stderr(is_no_information):
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

    Read from the flatbuffer itself: the format's schema takes 40 ms to load.

    Raises:
        struct.error: it is cut.
    """
    return sorted({_CALLS[code] for code in _operator_codes(content) if code in _CALLS})


def _operator_codes(content: bytes) -> Iterator[int]:
    def number(form: str, offset: int) -> int:
        return int(struct.unpack_from(f"<{form}", content, offset)[0])

    def field(table: int, slot: int) -> int:  # its place; 0 where it is absent
        slots = table - number("i", table)
        offset = number("H", slots + slot) if slot < number("H", slots) else 0
        return table + offset if offset else 0

    if listed := field(number("I", 0), 6):
        first = listed + number("I", listed) + 4
        for offset in range(first, first + 4 * number("I", first - 4), 4):
            code = offset + number("I", offset)
            # LiteRT takes the larger: files of before 2020 have the first alone
            forms = ((field(code, 4), "b"), (field(code, 10), "i"))
            yield max(number(form, at) if at else 0 for at, form in forms)
