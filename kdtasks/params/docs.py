"""Render docs/parameters.md from the params sections: `python -m kdtasks.params.docs`."""

import json
import re
from collections.abc import Mapping
from typing import Any

from kdtasks.params.explain import Schema, allowed_values, is_section, members, names, schema_of
from kdtasks.params.load import Params

INTRODUCTION = """\
# Parameters

Every key of `params.yaml`. Unknown keys are refused. This page is written by
`python -m kdtasks.params.docs > docs/parameters.md`; change the settings beside the code that
they set, not this file.
"""
TABLE = """\
| key | allowed | default | meaning |
|---|---|---|---|"""


def render_reference() -> str:
    """The whole page: the top level, every section in the order of `params.yaml`, the choices."""
    top = schema_of(Params)
    pages = [INTRODUCTION, _part("Top level", top, heading="##")]
    for name, section in _inner_sections(top).items():
        pages += _parts(name, section)
    for kind, registry in _all_registries(top).items():
        pages.append(
            f"## {kind.capitalize()}\n\nOne of these, chosen by its `name`; where all "
            "other keys have defaults, the name alone will do.\n"
        )
        pages += [_part(_heading(item), item, heading="###") for item in members(registry)]
    return "\n".join(pages)


def _parts(name: str, section: Schema) -> list[str]:
    """A section's part, followed by those of the sections inside it."""
    depth = "##" if "." not in name else "###"
    parts = [_part(name, section, heading=depth, prefix=f"{name}.")]
    for key, inner in _inner_sections(section).items():
        parts += _parts(f"{name}.{key}", inner)
    return parts


def _part(name: str, section: Schema, heading: str, prefix: str = "") -> str:
    title = name if name == "Top level" else f"`{name}`"
    required = section.get("required", ())
    rows = [
        f"| `{key}` | {_type(field, f'{prefix}{key}')} "
        f"| {'required' if key in required else _default(field)} "
        f"| {_cell(field.get('description') or '')} |"
        for key, field in section["properties"].items()
    ]
    table = "\n".join([TABLE, *rows])
    return f"{heading} {title}\n\n{section['documentation'] or ''}\n\n{table}\n"


def _heading(item: Schema) -> str:
    """The name of a choice, or what its names have in common before a slash."""
    return str(names(item)[0]).partition("/")[0]


def _registries(schema: Schema) -> dict[str, Schema]:
    """Registries that a key's value, or parts of it, are chosen from, by kind."""
    if "registry" in schema:
        return {schema["registry"]: schema}
    choices = schema.get("anyOf") or schema.get("oneOf") or _items(schema)
    return {kind: found for item in choices for kind, found in _registries(item).items()}


def _all_registries(section: Schema) -> dict[str, Schema]:
    """Those of a section's own keys, then those of the sections inside it."""
    own = [_registries(field) for field in section["properties"].values()]
    inner = [_all_registries(section) for section in _inner_sections(section).values()]
    return {kind: found for part in (*own, *inner) for kind, found in part.items()}


def _items(schema: Schema) -> list[Schema]:
    """What a list or a mapping from names holds."""
    inner = schema.get("items") or schema.get("additionalProperties")
    return [inner] if inner else []


def _inner_sections(section: Schema) -> dict[str, Schema]:
    """Sections that keys, their items or their values hold, by key; no choices of a registry."""
    return {
        key: found
        for key, field in section["properties"].items()
        if not _registries(field) and (found := _inner_section(field))
    }


def _inner_section(field: Schema) -> Schema | None:
    choices = [choice for item in members(field) for choice in [item, *_items(item)]]
    return next((choice for choice in choices if is_section(choice)), None)


def _type(field: Schema, key: str) -> str:
    words = re.sub(r"matching (\S+)", r"matching `\1`", _cell(allowed_values(field)))
    for kind, registry in _registries(field).items():
        words = words.replace(allowed_values(registry), f"[{kind}](#{kind.replace(' ', '-')})")
    inner = None if _registries(field) else _inner_section(field)
    if not inner:
        return words
    given, link = allowed_values(inner), f"(#{key.replace('.', '')})"
    is_alone = words.removeprefix("null or ") == given
    return words.replace(given, f"[section]{link}" if is_alone else f"[{given}]{link}")


def _default(field: Schema) -> str:
    value = field["default"]
    if isinstance(value, Mapping) and (is_section(field) or _registries(field)):
        chosen = [f"`{value['name']}`"] if _registries(field) else []
        return ", ".join([*chosen, "its defaults"])
    return f"`{json.dumps(_by_name(value), ensure_ascii=False)}`"


def _by_name(value: Any) -> Any:
    """A default with names alone for what is chosen from a registry."""
    if isinstance(value, list):
        return [item["name"] if isinstance(item, Mapping) else item for item in value]
    return value


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(render_reference(), end="")
