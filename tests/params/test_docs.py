"""docs/parameters.md is what the sections say."""

import re
from pathlib import Path
from typing import Annotated, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kdtasks.core.registry import Registry
from kdtasks.params.docs import render_reference
from kdtasks.params.load import Params

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == render_reference(), (
        "run `python -m kdtasks.params.docs > docs/parameters.md`"
    )


def test_every_key_of_every_section_has_a_row():
    rows = re.findall(r"^\| `(\w+)` \|", render_reference(), flags=re.MULTILINE)
    items = [item for registry in registries_of(Params) for item in registry]
    sections: list[type[BaseModel]] = [Params, *items]
    assert sorted(rows) == sorted(key for section in sections for key in keys_of(section))


def test_every_choice_has_its_heading():
    headings = re.findall(r"^### `([\w-]+)`$", render_reference(), flags=re.MULTILINE)
    names = [name for registry in registries_of(Params) for name in registry.names()]
    # Names of one choice have what stands before their slash in common.
    assert headings == list(dict.fromkeys(name.partition("/")[0] for name in names))


def test_every_key_has_a_meaning_except_the_name_of_a_network():
    for line in render_reference().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0].startswith("`") and cells[0] != "`name`":
            assert len(cells) == 4
            assert cells[3], line


def test_known_rows():
    page = render_reference()
    assert "number, 0 to 1 or [schedule](#schedule) | `0.1` |" in page
    assert "| `seeds` | list of at least 1 item, each whole number, 0 or more | required |" in page
    assert "| `split` | [section](#datasplit) | required |" in page
    assert "### `data.split`" in page
    assert "### `resnet8`" in page


def test_every_link_leads_to_a_heading():
    page = render_reference()
    headings = {
        re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))
        for heading in re.findall(r"^#+ (.*)$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= headings


def sections_in(section: type[BaseModel]) -> list[type[BaseModel]]:
    """Sections that keys hold, as they are or in lists, mappings and choices of two kinds."""
    choices = [
        get_args(choice)[0] if get_origin(choice) is Annotated else choice
        for field in section.model_fields.values()
        if not any(isinstance(item, Registry) for item in flat(field))
        for choice in (field.annotation, *get_args(field.annotation))
    ]
    return [item for item in choices if isinstance(item, type) and issubclass(item, BaseModel)]


def keys_of(section: type[BaseModel]) -> list[str]:
    inner = [key for other in sections_in(section) for key in keys_of(other)]
    return [*section.model_fields, *inner]


def registries_of(section: type[BaseModel]) -> dict[Registry[BaseModel], None]:
    found: dict[Registry[BaseModel], None] = {}
    for field in section.model_fields.values():
        found |= {item: None for item in flat(field) if isinstance(item, Registry)}
    for inner in sections_in(section):
        found |= registries_of(inner)
    return found


def flat(field: FieldInfo) -> list[object]:
    """Everything that a field's annotation is made of."""
    waiting: list[object] = [field.annotation, *field.metadata]
    for item in waiting:
        waiting += get_args(item)
    return waiting
