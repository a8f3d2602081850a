"""Ways to damage bytes, and values of every JSON type to put in the place of others."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

# What a byte becomes: nothing, all bits, one bit more or less, text, JSON's own letters.
BYTES: dict[str, Callable[[int, np.random.Generator], int]] = {
    "zero": lambda byte, draw: 0,
    "ones": lambda byte, draw: 255,
    "bit": lambda byte, draw: byte ^ (1 << int(draw.integers(8))),
    "letter": lambda byte, draw: int(draw.integers(32, 127)),
    "bracket": lambda byte, draw: int(draw.choice(list(b'{}[]",:\\'))),
    "high": lambda byte, draw: int(draw.integers(128, 256)),
}

# As text, for some are none that `json` writes.
VALUES = (
    *("null", "true", "0", "-1", "1.5", "1e999", "NaN", "9" * 400, '""', '"\\u0000/../x"'),
    *("[]", "[1]", "[[[]]]", "{}", '{"a": 1}', "[" * 500 + "]" * 500),
)


def flipped(content: bytes, kind: str, draw: np.random.Generator) -> bytes:
    """Change one to four bytes; half of them near the beginning, where files say what they are."""
    damaged = bytearray(content)
    for _ in range(int(draw.integers(1, 5)) if content else 0):
        place = int(draw.random() ** draw.choice([1, 4]) * len(damaged))
        damaged[place] = BYTES[kind](damaged[place], draw)
    return bytes(damaged)


def damaged(content: bytes, draw: np.random.Generator) -> bytes:
    """Damage bytes in one of several ways."""
    first, last = sorted(int(place) for place in draw.integers(0, len(content) + 1, 2))
    match int(draw.integers(6)):
        case 0:
            return content[:last]
        case 1:
            return content[:first] + content[last:]
        case 2:
            return content[:last] + content[first:]
        case 3:  # a number of four bytes
            number = int(draw.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**16])).to_bytes(4, "little")
            return content[:first] + number + content[first + 4 :]
        case _:
            return flipped(content, str(draw.choice(list(BYTES))), draw)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a decoded JSON value."""
    if path:
        yield path
    parts = dict(enumerate(value)) if isinstance(value, list) else value
    for key, part in parts.items() if isinstance(parts, dict) else ():
        yield from places(part, (*path, key))


def with_another(text: str, draw: np.random.Generator) -> str:
    """Put another value into a JSON text, anywhere."""
    content = json.loads(text)
    found = list(places(content))
    *above, last = found[int(draw.integers(len(found)))]
    part: Any = content
    for key in above:
        part = part[key]
    part[last] = "@"
    return json.dumps(content).replace('"@"', VALUES[int(draw.integers(len(VALUES)))])


def make_odd(path: Path, kind: str) -> None:
    """Put something that is no file in a path's place; it must not be there."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(os.path.relpath(path))  # such names are short
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    else:
        path.symlink_to({"loop": path.name, "device": "/dev/zero", "link": "/etc/passwd"}[kind])


ODD = ("pipe", "socket", "folder", "empty", "loop", "device", "link")
