"""Ways to damage bytes, and values of every JSON type to put in the place of others.

A damage is a function of the bytes alone, and where it strikes is a share of their length: so it
can be drawn without a look at them.
"""

import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Damage = Callable[[bytes], bytes]
Flip = tuple[float, tuple[int, int]]

PLACES = st.floats(0, 1, exclude_max=True)

# What a byte becomes: nothing, all bits, one bit more or less, text, JSON's own letters; as bits
# that are kept, and bits that change.
BYTES: dict[str, st.SearchStrategy[tuple[int, int]]] = {
    "zero": st.just((0, 0)),
    "ones": st.just((0, 255)),
    "bit": st.integers(0, 7).map(lambda bit: (255, 1 << bit)),
    "letter": st.integers(32, 126).map(lambda letter: (0, letter)),
    "bracket": st.sampled_from(b'{}[]",:\\').map(lambda letter: (0, letter)),
    "high": st.integers(128, 255).map(lambda byte: (0, byte)),
}
NUMBERS = (0, 1, 2**31 - 1, 2**32 - 1, 2**16)

# As text, for some are none that `json` writes.
VALUES = (
    *("null", "true", "0", "-1", "1.5", "1e999", "NaN", "9" * 400, '""', '"\\u0000/../x"'),
    *("[]", "[1]", "[[[]]]", "{}", '{"a": 1}', "[" * 500 + "]" * 500),
)
ODD = ("pipe", "socket", "folder", "empty", "loop", "device", "link")


def flipped(found: Sequence[Flip], content: bytes) -> bytes:
    """Change single bytes."""
    damaged = bytearray(content)
    for place, (kept, changed) in found if content else ():
        at = int(place * len(damaged))
        damaged[at] = damaged[at] & kept ^ changed
    return bytes(damaged)


def cut(last: float, content: bytes) -> bytes:
    """End early."""
    return content[: int(last * len(content))]


def without(ends: Sequence[float], content: bytes) -> bytes:
    """Leave a part out."""
    first, last = (int(end * len(content)) for end in ends)
    return content[:first] + content[last:]


def turned(place: float, content: bytes) -> bytes:
    """Put the end before the beginning."""
    at = int(place * len(content))
    return content[at:] + content[:at]


def overwritten(place: float, number: int, content: bytes) -> bytes:
    """Write a number over four bytes."""
    at = int(place * len(content))
    return content[:at] + number.to_bytes(4, "little") + content[at + 4 :]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a decoded JSON value."""
    if path:
        yield path
    parts = dict(enumerate(value)) if isinstance(value, list) else value
    for key, part in parts.items() if isinstance(parts, dict) else ():
        yield from places(part, (*path, key))


def value_at(place: float, content: Any) -> tuple[Any, Any]:
    """Find a value by a share of the list of all: what directly holds it, and under which key."""
    found = list(places(content))
    *above, key = found[int(place * len(found))]
    for each in above:
        content = content[each]
    return content, key


def replaced(place: float, value: str, text: bytes) -> bytes:
    """Put another value into a JSON text, at a share of the list of its values."""
    content = json.loads(text)
    holder, key = value_at(place, content)
    holder[key] = "@"
    return json.dumps(content).replace('"@"', value).encode()


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


def calls(function: Callable[..., Any], *arguments: st.SearchStrategy[Any]) -> Any:
    """Give functions that lack only the last arguments, the others being drawn."""
    return st.builds(partial, st.just(function), *arguments)


def flips(bytes_: st.SearchStrategy[tuple[int, int]]) -> st.SearchStrategy[Damage]:
    """Change one to four bytes; half of them near the beginning, where files say what they are."""
    near = PLACES | PLACES.map(lambda place: place**4)
    return calls(flipped, st.lists(st.tuples(near, bytes_), min_size=1, max_size=4))


FLIPS = flips(st.one_of(*BYTES.values()))
DAMAGES: st.SearchStrategy[Damage] = st.one_of(
    calls(cut, PLACES),
    calls(without, st.tuples(PLACES, PLACES).map(sorted)),
    calls(turned, PLACES),
    calls(overwritten, PLACES, st.sampled_from(NUMBERS)),
    FLIPS,
)
OTHER_VALUES: st.SearchStrategy[Damage] = calls(replaced, PLACES, st.sampled_from(VALUES))
