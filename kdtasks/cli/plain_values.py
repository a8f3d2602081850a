"""Turn the words of a command line into text, numbers and paths without pydantic.

Typer asks pydantic for each of them, whose import takes a fifth of `kdtasks predict`. Whatever is
not plainly right goes to Typer, which knows what to say of it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin

import typer.core

try:
    from typer._coercion import RuntimeParam, build_runtime_param, resolve_type_descriptor
    from typer._param_types import coerce_cli_path
except ImportError:  # a Typer that does without pydantic
    RuntimeParam = object  # type: ignore[assignment, misc]


class UnclearError(Exception):
    """Typer is to be asked."""


class PlainValue(RuntimeParam):
    """What Typer keeps for each parameter, to make its value of words."""

    def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:
        info = self.parameter_info

        def to_path(word: Any) -> Any:
            return coerce_cli_path(Path(word), info, path_type=Path, param=param, ctx=ctx)

        try:
            return plain(value, self.annotation, info, to_path)
        except UnclearError:
            typers = build_runtime_param(resolve_type_descriptor(self.annotation, info))
            return typers.coerce(value, param=param, ctx=ctx)


def plain(value: Any, kind: Any, info: Any, to_path: Callable[[Any], Any]) -> Any:
    """Give a value of a kind: text, a whole number, a path, or a list of them.

    Args:
        value: a word, several, or a default.
        kind: such as `int` or `list[str]`.
        info: Typer's, of the parameter.
        to_path: makes a path of a word.

    Raises:
        UnclearError: it is another kind, or not plainly one of it.
    """
    if get_origin(kind) is list and isinstance(value, (list, tuple)):
        return [plain(item, get_args(kind)[0], info, to_path) for item in value]
    is_text = type(value) is str and info.parser is None
    if kind is str and is_text:
        return value
    if kind is Path and is_text:
        return to_path(value)
    if kind is int and (type(value) is int or (is_text and value.isascii() and value.isdecimal())):
        number, low, high = int(value), info.min, info.max
        if (low is None or low <= number) and (high is None or number <= high):
            return number
    raise UnclearError


def read_plainly() -> None:
    """Have Typer ask `PlainValue` first, for every parameter of every command."""
    if RuntimeParam is not object:
        vars(typer.core)["build_runtime_param"] = lambda descriptor: PlainValue(
            descriptor.parameter_info, descriptor.annotation
        )
