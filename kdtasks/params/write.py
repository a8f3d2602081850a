"""Write a complete `params.yaml`: every key, its description above it.

DVC decides what to run again from the keys that stand in the file and knows no defaults, so none is
missing. `python -m kdtasks.params.write RECIPE` prints a recipe's.
"""

import io
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from kdtasks.params.load import Params, load_params

if TYPE_CHECKING:
    from ruamel.yaml import YAML

Overlay = dict[str, Any]  # what differs from the defaults, as a recipe says it, not validated yet
WIDTH = 100
# The keys that matter most: their sections come first, and they come first in these.
FIRST = (
    *("recipe", "seeds", "data.source", "data.path", "data.image_size", "data.channels"),
    *("teacher.source", "teacher.path", "student.model", "student.exits"),
    *("distill.epochs", "distill.temperature", "compress.variants", "export.name"),
)
HEADER = """\
# Written from the recipe {recipe} and the defaults; edit it freely. Every key stands here, because
# DVC runs again what depends on a key that changed, and knows no defaults. Those that matter most
# stand first: in the sections data, teacher, student, distill, compress and export, at their top.
# What each allows: docs/parameters.md. How it differs from a recipe: `kdtasks recipe diff NAME`.
"""


def render_params(params: Params) -> str:
    """The text of a `params.yaml` that says the same as `params`."""
    return HEADER.format(recipe=params.recipe) + "\n".join(_lines(params, indent="")) + "\n"


def render_recipe(about: str, content: Overlay) -> str:
    """The text of a recipe: a line about it, and what differs from the defaults."""
    lines = [f"# {about}"]
    for key, value in content.items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            for inner, item in value.items():
                lines += _entry(inner, item, indent="  ")
        else:
            lines += _entry(key, value, indent="")
    return "\n".join(lines) + "\n"


def _lines(section: BaseModel, indent: str, prefix: str = "") -> list[str]:
    lines: list[str] = []
    fields = type(section).model_fields
    for key in sorted(fields, key=lambda key: _rank(f"{prefix}{key}")):
        value, field = getattr(section, key), fields[key]
        if isinstance(value, BaseModel) and not indent:
            lines.append("")
        if field.description:  # a name that is a choice's has none
            words = f"{indent}# {field.description}"
            lines += textwrap.wrap(words, WIDTH, subsequent_indent=f"{indent}# ")
        if isinstance(value, BaseModel):
            lines += [f"{indent}{key}:", *_lines(value, f"{indent}  ", f"{prefix}{key}.")]
        else:
            lines += _entry(key, section.model_dump(mode="json", include={key})[key], indent)
    return lines


def _rank(key: str) -> int:
    """The place of a key, or of the first in a section, among those that come first."""
    found = (place for place, name in enumerate(FIRST) if f"{name}.".startswith(f"{key}."))
    return next(found, len(FIRST))


def _entry(key: str, value: Any, indent: str) -> list[str]:
    """A key with a plain value: on one line, or an item a line where that is too long."""
    line = f"{indent}{key}: {_flow(value)}"
    if len(line) <= WIDTH or not isinstance(value, list | dict):
        return [line]
    if isinstance(value, dict):
        items = [f"{indent}  {name}: {_flow(item)}" for name, item in value.items()]
    else:
        items = [f"{indent}- {_flow(item)}" for item in value]
    return [f"{indent}{key}:", *items]


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    buffer = io.StringIO()
    _yaml().dump(value, buffer)
    return buffer.getvalue().removesuffix("...\n").strip()


@cache
def _yaml() -> "YAML":
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.representer.sort_base_mapping_type_on_output = False
    yaml.width = 1_000_000
    return yaml


if __name__ == "__main__":
    print(render_params(load_params(Path("recipes") / f"{sys.argv[1]}.yaml")), end="")
