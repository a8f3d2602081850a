"""Names of classes: which are one class, and in what order they are numbered."""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kdtasks.core.errors import DatasetError
from kdtasks.core.settings import Names
from kdtasks.core.text import printable
from kdtasks.data.folders import composed

ClassOrder = Annotated[
    Names | str | None,
    Field(
        description="the classes in order, such as a teacher's: a list, or a file of names below "
        "`data.path` (lines or JSON); null: all classes, by name"
    ),
]


def class_name(text: str) -> str:
    """Spell a class's name in NFC, without spaces around it."""
    return composed(text).strip()


def refuse_look_alikes(names: Iterable[str]) -> None:
    """Refuse names that a person takes for one: equal but for capitals, spaces around, encoding.

    Raises:
        DatasetError: there are two, or one holds control characters.
    """
    seen: dict[str, str] = {}
    for name in names:
        if printable(name) != name:
            raise DatasetError(
                f"{name!a} would be a class whose name holds characters that are not for "
                "reading; rename it"
            )
        other = seen.setdefault(class_name(name).casefold(), name)
        if other != name:
            # two encodings of one letter look the same, unless they are spelled out
            spell = ascii if composed(other) == composed(name) else repr
            raise DatasetError(
                f"{spell(other)} and {spell(name)} would be two classes that look like one; give "
                "both one name, or names that differ in more than capitals, spaces and accents' "
                "encoding"
            )


def configured_classes(classes: ClassOrder, folder: Path) -> tuple[str, ...] | None:
    """Give the class names that params ask for, in order; None where they leave it to the data.

    A file has a line for each name; or JSON: a list, or names by index or the reverse.

    Args:
        folder: that the file of names lies in.

    Raises:
        DatasetError: the file is missing, damaged or of another form.
    """
    if not isinstance(classes, str):
        return classes and tuple(map(class_name, classes))
    path = folder / classes
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = _of_json(json.loads(text)) if path.suffix.lower() == ".json" else text.splitlines()
    except (OSError, ValueError, TypeError) as error:
        raise DatasetError(
            f"source.classes: {path} cannot be read as a list of names ({error}); write one name a "
            "line, or a JSON list"
        ) from None
    return tuple(filter(None, map(class_name, names)))


def order_classes(names: Collection[str], order: Iterable[str] | None) -> tuple[str, ...]:
    """Put class names in order: by name, or as in `order`, those that are there.

    Args:
        names: of the classes there are, each once.
        order: as of `configured_classes`; names that it lacks are left out.
    """
    if order is not None:
        return tuple(name for name in order if name in names)
    return tuple(sorted(names))


def _of_json(content: object) -> list[str]:
    if isinstance(content, dict):
        if all(isinstance(index, int) for index in content.values()):
            content = sorted(content, key=content.__getitem__)
        else:
            content = [content[index] for index in sorted(content, key=int)]
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        raise TypeError("no list of texts")
    return content
