"""YAML that people wrote, read within bounds: no file makes a command hang or run out of memory."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdtasks.core.errors import ParamsError, shortened

if TYPE_CHECKING:
    from ruamel.yaml.events import Event

MOST_BYTES = 100_000
MOST_VALUES = 10_000
DEEPEST = 50


def read_yaml(path: Path) -> Any:
    """Read a YAML 1.2 file, as DVC does.

    Raises:
        ParamsError: it is missing or not UTF-8; as of `parse_yaml`.
    """
    if not path.is_file():
        raise ParamsError(f"{path} not found; `kdtasks recipe use mnist-5k` writes one")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ParamsError(f"{path} has {size:,} bytes; params have at most {MOST_BYTES:,}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML 1.2, as DVC does.

    Args:
        source: what to call it in an error.

    Raises:
        ParamsError: it is too large, nested too deep, not YAML, or names half a character.
    """
    from ruamel.yaml import YAML, YAMLError

    try:
        if problem := _excess(YAML(typ="safe", pure=True).parse(text)):
            raise ParamsError(f"{source} {problem}")
        return YAML(typ="safe", pure=True).load(text)
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        raise ParamsError(
            f"{source} names half a character, {half}; write the character itself"
        ) from None
    # Of Python for what no number and no date is, and of the parser for values unlike their tag.
    except (YAMLError, ValueError, ArithmeticError, LookupError, AssertionError) as error:
        raise ParamsError(f"{source} is not valid YAML: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Say in a line where the parser stopped, and at what."""
    from ruamel.yaml.error import MarkedYAMLError

    if not isinstance(error, MarkedYAMLError) or not error.problem_mark:
        return shortened(str(error)) or type(error).__name__
    mark, inside = error.problem_mark, ""
    if error.context and (begin := error.context_mark) and begin.line != mark.line:
        inside = f" ({error.context} that begins in line {begin.line + 1})"
    problem = shortened(str(error.problem))
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}{inside}; correct it there"


def _excess(events: "Iterable[Event]") -> str | None:
    """What is too much in a file; an alias counts as all that it stands for."""
    from ruamel.yaml.events import (
        AliasEvent,
        CollectionEndEvent,
        CollectionStartEvent,
        NodeEvent,
        ScalarEvent,
    )

    counts = [0.0]  # values in each collection that is open, the outermost first
    anchors: list[str | None] = []
    values: dict[str | None, float] = {}  # behind each anchor; without end inside its own
    for event in events:
        if isinstance(event, AliasEvent):
            counts[-1] += values.get(event.anchor, 0)
        elif isinstance(event, CollectionStartEvent):
            anchors.append(event.anchor)
            values[event.anchor] = math.inf
            counts.append(1)
        elif isinstance(event, CollectionEndEvent):
            values[anchors.pop()] = count = counts.pop()
            counts[-1] += count
        elif isinstance(event, NodeEvent):
            values[event.anchor] = 1
            counts[-1] += 1
        if isinstance(event, ScalarEvent):
            event.value.encode("utf-8")  # an escape may name half a character
        if len(counts) > DEEPEST:
            return f"is nested more than {DEEPEST} deep; params need less than ten"
        if counts[-1] > MOST_VALUES:
            return f"holds more than {MOST_VALUES:,} values, aliases written out; params have less"
    return None
