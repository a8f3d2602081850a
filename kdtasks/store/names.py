"""Names of models and aliases, and the way a version is asked for: `NAME[@ALIAS|@VERSION]`."""

import re
from typing import NamedTuple

from kdtasks.errors import StoreError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_ALIAS = re.compile(r"[a-z][a-z0-9._-]{0,99}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class Reference(NamedTuple):
    """What is asked for: a model's version by number, by alias, or the newest (null)."""

    name: str
    selector: int | str | None = None

    def __str__(self) -> str:
        return self.name if self.selector is None else f"{self.name}@{self.selector}"


def check_name(name: str) -> str:
    """Give a model's name back if it is one.

    Raises:
        StoreError: it is not.
    """
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"{name!r} is no name of a model; allowed are lower case letters, digits, '.', '_' "
            "and '-', a letter or a digit first, at most 100 of them"
        )
    return name


def check_alias(alias: str) -> str:
    """Give an alias back if it is one.

    Raises:
        StoreError: it is not.
    """
    if not _ALIAS.fullmatch(alias):
        raise StoreError(
            f"{alias!r} is no alias; allowed are lower case letters, digits, '.', '_' and '-', a "
            "letter first (so that no alias looks like a version), at most 100 of them"
        )
    return alias


def parse_reference(text: str) -> Reference:
    """Read `digits`, `digits@production` or `digits@3`.

    Raises:
        StoreError: it is none of these.
    """
    name, at, selector = text.partition("@")
    check_name(name)
    if not at:
        return Reference(name)
    if _NUMBER.fullmatch(selector):
        return Reference(name, int(selector))
    return Reference(name, check_alias(selector))
