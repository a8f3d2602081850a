"""Put a page of all records into the site: keys, types and meanings, from their classes."""

import importlib
import inspect
import pkgutil
import re
from typing import Any

from mkdocs.structure.files import File, Files

from kdtasks.core import records

INTRODUCTION = """\
# Records

The JSON files that stages write, by their classes in `kdtasks/core/records/`; [Files](files.md)
says which stage writes which. An *optional* key is absent where it does not apply.
"""
ATTRIBUTES = re.compile(r"^ {4}([\w, ]+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the page."""
    files.append(File.generated(config, "records.md", content=_page()))
    return files


def _page() -> str:
    pages = [INTRODUCTION]
    for module in pkgutil.iter_modules(records.__path__, f"{records.__name__}."):
        found = [
            part
            for part in vars(importlib.import_module(module.name)).values()
            if inspect.isclass(part)
            and issubclass(part, records.Part)
            and part.__module__ == module.name
        ]
        title = module.name.rpartition(".")[2].replace("_", " ").capitalize()
        pages += [f"## {title}\n", *map(_part, found)]
    return "\n".join(pages)


def _part(part: type[records.Part]) -> str:
    text, _, attributes = (inspect.getdoc(part) or "").partition("Attributes:\n")
    meanings = {
        name: " ".join(meaning.split())
        for names, meaning in ATTRIBUTES.findall(attributes)
        for name in names.split(", ")
    }
    rows = [
        f"| `{key}` | {_type(field.annotation)} "
        f"| {'' if field.is_required() else '*optional* '}{meanings.get(key, '')} |"
        for key, field in part.model_fields.items()
        if key in inspect.get_annotations(part)
    ]
    plain = (records.Part, records.Record)
    bases = [f"`{base.__name__}`" for base in part.__bases__ if base not in plain]
    inherited = f"With the keys of {' and '.join(bases)}.\n\n" if bases else ""
    table = "\n".join(["| key | type | meaning |", "|---|---|---|", *rows]) if rows else ""
    return f"### `{part.__name__}`\n\n{text.strip()}\n\n{inherited}{table}\n"


def _type(annotation: object) -> str:
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    plain = re.sub(r"\b(?:\w+\.)+(?=\w)", "", name)
    return f"`{plain.replace('None', 'null').replace(' | ', ' or ')}`"
