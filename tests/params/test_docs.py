"""docs/parameters.md is what the sections say."""

import re
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from kdtasks.learn.networks import Architecture
from kdtasks.params.docs import render_reference
from kdtasks.params.explain import is_section, members, unwrap
from kdtasks.params.load import Params

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == render_reference(), (
        "run `python -m kdtasks.params.docs > docs/parameters.md`"
    )


def test_every_key_of_every_section_has_a_row():
    rows = re.findall(r"^\| `(\w+)` \|", render_reference(), flags=re.MULTILINE)
    assert sorted(rows) == sorted(keys_of(Params) + [k for n in networks() for k in keys_of(n)])


def test_every_key_has_a_meaning_except_the_name_of_a_network():
    for line in render_reference().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0].startswith("`") and cells[0] != "`name`":
            assert len(cells) == 4
            assert cells[3], line


def test_known_rows():
    page = render_reference()
    assert "number, 0 to 1 or [mapping with schedule, start, end](#distillalpha) | `0.1` |" in page
    assert "| `seeds` | list of at least 1 item, each whole number, 0 or more | required |" in page
    assert "| `split` | [section](#datasplit) | required |" in page
    assert "### `data.split`" in page
    assert "### `resnet8`" in page


def test_every_link_leads_to_a_heading():
    page = render_reference()
    headings = {
        re.sub(r"[^\w-]", "", heading.lower()) for heading in re.findall(r"^#+ (.*)$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= headings


def networks() -> tuple[type[BaseModel], ...]:
    return members(Architecture)


def keys_of(section: type[BaseModel]) -> list[str]:
    keys = list(section.model_fields)
    for field in section.model_fields.values():
        for choice in (field.annotation, *map(plain, get_args(field.annotation))):
            if is_section(choice) and choice not in networks():
                assert isinstance(choice, type)
                keys += keys_of(choice)
    return keys


def plain(choice: object) -> object:
    return unwrap(choice)[0]
