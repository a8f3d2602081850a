"""What 255 stands for in masks of indices, where params do not say so."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kdtasks.core.errors import DatasetError
from kdtasks.core.text import quantity
from kdtasks.core.threads import in_order
from kdtasks.data.masks import index_values
from kdtasks.edge.decoder import Decoder

FULL = 255
Values = Mapping[str, str | int]


class FullValue(NamedTuple):
    """Classes and unlabelled values with a place for 255, and what is said of it."""

    classes: Values
    ignore: Sequence[str | int]
    notes: tuple[str, ...] = ()


def find_full_value(
    classes: Values, ignore: Sequence[str | int], masks: Sequence[Path], decoder: Decoder
) -> FullValue:
    """Take 255 for the second of two classes where only 0 and 255 occur, else for unlabelled.

    Where 255 is in `classes` or `ignore`, or these are colours, nothing is changed.

    Args:
        classes: class name to its value in the masks.
        ignore: values of unlabelled pixels.
        masks: all files.
        decoder: reads them; what it cannot read is passed over, reading will name it.
    """
    known = [*classes.values(), *ignore]
    unchanged = FullValue(classes, ignore)
    if FULL in known or not all(isinstance(value, int) for value in known):
        return unchanged

    def look(path: Path) -> set[int]:
        try:
            return index_values(path, decoder)
        except DatasetError:
            return set()

    having, values = 0, set[int]()
    for found in in_order(look, masks):
        having += FULL in found
        values |= found
    if not having:
        return unchanged
    where = f"255 in {quantity(having, 'mask')}"
    if values == {0, FULL} and len(classes) == 2 and 0 in classes.values():
        (name,) = (name for name, value in classes.items() if value != 0)
        note = (
            f"{where}, beside 0 alone, is taken for {name} (data.source.classes sets it: "
            f"`{name}: 255`; data.source.ignore: [255] leaves it unlabelled)"
        )
        return FullValue({**classes, name: FULL}, ignore, (note,))
    note = (
        f"{where} is no class and counts as unlabelled (data.source.ignore: [255] says so; a class "
        "of 255 in data.source.classes makes it one)"
    )
    return FullValue(classes, (*ignore, FULL), (note,))
