"""Render docs/parameters.md from the params sections: `python -m kdtasks.params.docs`."""

import inspect
import json
from operator import attrgetter
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kdtasks.core.registry import Registry
from kdtasks.params.explain import allowed_values, is_section, members, tags, unwrap
from kdtasks.params.load import Params

INTRODUCTION = """\
# Parameters

Every key of `params.yaml`. Unknown keys are refused. This page is written by
`python -m kdtasks.params.docs > docs/parameters.md`; change the settings beside the code that
they set, not this file.
"""


def render_reference() -> str:
    """The whole page: the top level, every section in the order of `params.yaml`, the choices."""
    pages = [INTRODUCTION, _part("Top level", Params, heading="##")]
    for name, field in Params.model_fields.items():
        if is_section(field.annotation):
            pages += _parts(name, field.annotation)
    for registry in dict.fromkeys(_all_registries(Params)):
        pages.append(
            f"## {registry.kind.capitalize()}\n\nOne of these, told apart by its `name`; where all "
            "other keys have defaults, the name alone will do.\n"
        )
        pages += [
            _part(name, item, heading="###", prefix="")
            for name, item in zip(registry.names(), registry, strict=True)
        ]
    return "\n".join(pages)


def _parts(name: str, section: Any) -> list[str]:
    """A section's part, followed by those of the sections inside it."""
    depth = "##" if "." not in name else "###"
    parts = [_part(name, section, heading=depth, prefix=f"{name}.")]
    for key, inner in _inner_sections(section).items():
        parts += _parts(f"{name}.{key}", inner)
    return parts


def _inner_sections(section: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Sections inside a section, by key, that are no choice of a registry."""
    found = {
        key: _inner_section(field.annotation) or _optional_section(field.annotation)
        for key, field in section.model_fields.items()
        if not _registries(field)
    }
    return {key: inner for key, inner in found.items() if inner}


def _registries(field: Any) -> list[Registry[Any]]:
    """Registries that a value of a field, or of an annotation, is chosen from."""
    if isinstance(field, Registry):
        return [field]
    inner = (field.annotation, *field.metadata) if isinstance(field, FieldInfo) else get_args(field)
    return [registry for item in inner for registry in _registries(item)]


def _all_registries(section: type[BaseModel]) -> list[Registry[Any]]:
    own = [r for field in section.model_fields.values() for r in _registries(field)]
    inner = [r for inner in _inner_sections(section).values() for r in _all_registries(inner)]
    return own + inner


def _part(name: str, section: type[BaseModel], heading: str, prefix: str = "") -> str:
    title = name if name == "Top level" else f"`{name}`"
    rows = [
        f"| `{key}` | {_type(field, f'{prefix}{key}')} | {_default(field)} "
        f"| {_cell(field.description or '')} |"
        for key, field in section.model_fields.items()
    ]
    return "\n".join(
        [
            f"{heading} {title}\n",
            f"{inspect.cleandoc(section.__doc__ or '')}\n",
            "| key | allowed | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _type(field: FieldInfo, key: str) -> str:
    inner = None if _registries(field) else _inner_section(field.annotation)
    if inner:
        words = f"[section](#{key.replace('.', '')})"
        return f"null or {words}" if NoneType in members(field.annotation) else words
    words = _cell(allowed_values(field.annotation, tuple(field.metadata)))
    for registry in _registries(field):
        link = f"[{registry.kind}](#{registry.kind.replace(' ', '-')})"
        words = words.replace(allowed_values(registry.union()), link)
    if section := _optional_section(field.annotation):
        given = allowed_values(section)
        return words.replace(given, f"[{given}](#{key.replace('.', '')})")
    return words


def _inner_section(annotation: Any) -> type[BaseModel] | None:
    choices = [choice for choice in members(annotation) or (annotation,) if choice is not NoneType]
    return choices[0] if len(choices) == 1 and is_section(choices[0]) else None


def _optional_section(annotation: Any) -> type[BaseModel] | None:
    """The section that a key may hold in another's place, or that each item or value is."""
    annotation, _ = unwrap(annotation)
    is_collection = get_origin(annotation) in (tuple, dict)
    choices = get_args(annotation) if is_collection else members(annotation)
    found = [unwrap(choice)[0] for choice in choices]
    sections = [choice for choice in found if is_section(choice) and not tags((choice,))]
    return sections[0] if len(sections) == 1 and len(choices) > 1 else None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, BaseModel):
        chosen = [field.default.model_dump()["name"]] if _registries(field) else []
        return ", ".join([*(f"`{name}`" for name in chosen), "its defaults"])
    return f"`{json.dumps(field.default, ensure_ascii=False, default=attrgetter('name'))}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(render_reference(), end="")
