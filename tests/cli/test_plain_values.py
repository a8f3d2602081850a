"""Words become values without pydantic, and the same ones as with it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import typer
from typer._click.exceptions import BadParameter
from typer._coercion import build_runtime_param, resolve_type_descriptor

from kdtasks.cli.plain_values import PlainValue

COUNT = typer.Option(min=1, max=99)
ANY = typer.Option()
EXISTING = typer.Option(exists=True)


def outcome(maker: Any, kind: Any, info: Any, value: Any) -> Any:
    """The value, with its type, or what is said of it."""
    option = SimpleNamespace(multiple=False, nargs=1)
    try:
        found = maker.coerce(value, param=option, ctx=None)
    except BadParameter as error:
        return error.message
    return found, type(found)


@pytest.mark.parametrize(
    ("kind", "info", "value"),
    [
        *((str, ANY, word) for word in ("", "a b", "ä", "7")),
        *((int, COUNT, word) for word in ("1", "99", "007", 5, "0", "100", "-3", "+4", "1.0", "x")),
        *((int, ANY, word) for word in ("-3", " 4", "１", "1_000", "")),
        *((Path, ANY, word) for word in ("a/../b", ".", "-", "")),
        (Path, EXISTING, "is/not/there"),
        (float, ANY, "0.5"),
        (bool, ANY, "yes"),
        (Literal["split", "cli"], ANY, "cli"),
        (Literal["split", "cli"], ANY, "other"),
    ],
)
def test_every_word_gives_what_typer_gives(kind: Any, info: Any, value: Any) -> None:
    typers = build_runtime_param(resolve_type_descriptor(kind, info))
    assert outcome(PlainValue(info, kind), kind, info, value) == outcome(typers, kind, info, value)


def test_several_words_are_a_list() -> None:
    option: Any = SimpleNamespace(multiple=True, nargs=1)
    context: Any = None
    assert PlainValue(ANY, list[str]).coerce(("a", "b"), option, context) == ["a", "b"]
