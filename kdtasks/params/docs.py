"""Render docs/parameters.md from the params sections: `python -m kdtasks.params.docs`."""

import inspect
import json
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kdtasks.learn.networks import Architecture
from kdtasks.params.explain import allowed_values, is_section, members, tags, unwrap
from kdtasks.params.load import Params

INTRODUCTION = """\
# Parameters

Every key of `params.yaml`. Unknown keys are refused. This page is written by
`python -m kdtasks.params.docs > docs/parameters.md`; change the settings beside the code that
they set, not this file.
"""


def render_reference() -> str:
    """The whole page: the top level, every section in the order of `params.yaml`, the networks."""
    pages = [INTRODUCTION, _part("Top level", Params, heading="##")]
    for name, field in Params.model_fields.items():
        if is_section(field.annotation):
            pages += _parts(name, field.annotation)
    pages.append(
        "## Networks\n\nA `model` is one of these, told apart by its `name`. Names of blocks and "
        "of exits follow from the keys.\n"
    )
    for network in members(Architecture):
        pages.append(_part(tags((network,))[0], network, heading="###"))
    return "\n".join(pages)


def _parts(name: str, section: Any) -> list[str]:
    """A section's part, followed by those of the sections inside it."""
    depth = "##" if "." not in name else "###"
    parts = [_part(name, section, heading=depth)]
    for key, field in section.model_fields.items():
        inner = _inner_section(field.annotation) or _optional_section(field.annotation)
        if inner:
            parts += _parts(f"{name}.{key}", inner)
    return parts


def _part(name: str, section: type[BaseModel], heading: str) -> str:
    prefix = "" if name == "Top level" or section in members(Architecture) else f"{name}."
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
    inner = _inner_section(field.annotation)
    if inner:
        words = f"[section](#{key.replace('.', '')})"
        return f"null or {words}" if NoneType in members(field.annotation) else words
    if tags(members(field.annotation)):
        words = "a [network](#networks)"
        return f"null or {words}" if NoneType in members(field.annotation) else words
    words = _cell(allowed_values(field.annotation, tuple(field.metadata)))
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
        return "its defaults"
    return f"`{json.dumps(field.default, ensure_ascii=False)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(render_reference(), end="")
