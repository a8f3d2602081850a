"""Names that look as if several images were of one scene or patient: the line that says so."""

import re
from collections import Counter
from collections.abc import Iterable

from kdtasks.core.text import quantity
from kdtasks.data.groups import GroupBy

_NOUNS = (
    "animal burst case clip donor patient person plant scene seq sequence series session slide "
    "specimen study subject track video visit"
)
# What a column is named that tells groups apart.
_GROUPING = re.compile(rf"(?<![a-z])(?:{'|'.join([*_NOUNS.split(), 'lesion'])})(?![a-rt-z])")

_NUMBERED = re.compile(rf"(?<![a-z])(?:{'|'.join(_NOUNS.split())})[ _-]?(?=\d)", re.IGNORECASE)

# The most telling first. Each matches a group's name, and has no groups of its own.
_OF_BURSTS = (r"BURST\d{8,}", r"[^/]+(?=[_-]BURST\d)")
_COUNTED = (
    r"[^/]*[^\W\d_][^/]*(?=[ _-]\(?\d+\)?\.\w+$)",
    r".+(?=[ _-]\(?\d+\)?\.\w+$)",  # numbers alone may begin anew in every folder
)

_LEAST_IMAGES = 8
_LEAST_GROUPS = 4


def grouping_word(column: str) -> str:
    """Give the word in a column's name that tells of groups, or ""."""
    match = _GROUPING.search(column.casefold())
    return match[0] if match else ""


def propose_groups(names: Iterable[str], strata: int) -> tuple[GroupBy, str]:
    """Find out whether names tell of groups, such as bursts; it is for a person to decide.

    They do where most images share the matching part of their name with others, and the parts tell
    more than the classes and the splits that images are in.

    Args:
        names: of the images, such as paths below `data.path`; gone through several times.
        strata: how many are told apart anyhow: pairs of a class and a split.

    Returns:
        a value for `data.group_by`, and a sentence; None and "" where nothing was found.
    """
    nouns = Counter(match[0] for name in names for match in _NUMBERED.finditer(name))
    numbered = (rf"{noun}\d+" for noun, _ in nouns.most_common())
    for pattern in (*_OF_BURSTS, *numbered):
        if found := _proposal(pattern, names, strata):
            return found
    level = min((name.count("/") for name in names), default=0)
    folders = Counter("/".join(name.split("/")[:level]) for name in names)
    if level and _tells(folders, folders.total(), strata):
        return level, _sentence(level, folders)
    rest = (_proposal(pattern, names, strata) for pattern in _COUNTED)
    return next(filter(None, rest), (None, ""))


def _proposal(pattern: str, names: Iterable[str], strata: int) -> tuple[str, str] | None:
    matches = (re.search(pattern, name) for name in names)
    sizes = Counter(match and match[0] for match in matches)
    number, without = sizes.total(), sizes.pop(None, 0)
    groups = Counter({name: size for name, size in sizes.items() if name is not None})
    if not _tells(groups, number, strata):
        return None
    # names without a match are groups of their own; what comes first in a name would win
    whole = rf"{pattern}|^(?!.*(?:{pattern})).*" if without else pattern
    return whole, _sentence(whole, groups)


def _tells(sizes: Counter[str], number: int, strata: int) -> bool:
    together = sum(size for size in sizes.values() if size > 1)
    return (
        number >= _LEAST_IMAGES
        and 2 * together >= number
        and len(sizes) >= max(_LEAST_GROUPS, 2 * strata)
        and 4 * max(sizes.values()) <= number
    )


def _sentence(group_by: GroupBy, sizes: Counter[str]) -> str:
    largest, size = sizes.most_common(1)[0]
    value = f"'{group_by}'" if isinstance(group_by, str) else group_by
    return (
        "names look as if several images were of one scene, burst or patient: "
        f"{quantity(len(sizes), 'group')}, such as {largest!r} of {quantity(size, 'image')}. If "
        "so, a model is tested on what it has learnt; put this line into section data of "
        "params.yaml, in place of the one that is there ('.*' leaves each image on its own, and "
        f"keeps quiet):\n  group_by: {value}"
    )
