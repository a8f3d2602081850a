"""The grid of a sweep: a key of params.yaml and its values for every axis."""

import json
from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from kdtasks.errors import SweepError

SYNTAX = "expected KEY=VALUE,VALUE,…, as in distill.alpha=0.1,0.5"


class Axis(NamedTuple):
    """One key and the values that it takes, in the order given."""

    key: str  # dotted, as distill.alpha
    values: tuple[Any, ...]


class Grid(NamedTuple):
    """All combinations of the values of some axes."""

    axes: tuple[Axis, ...]

    @property
    def combinations(self) -> list[dict[str, Any]]:
        """Key to value of every point; the last axis varies fastest."""
        keys = [axis.key for axis in self.axes]
        values = product(*(axis.values for axis in self.axes))
        return [dict(zip(keys, chosen, strict=True)) for chosen in values]

    @property
    def size(self) -> int:
        """How many points there are."""
        return prod(len(axis.values) for axis in self.axes)

    def short(self, key: str) -> str:
        """A key without its sections, unless two axes would then have one name."""
        last = key.rpartition(".")[2]
        is_unique = sum(axis.key.rpartition(".")[2] == last for axis in self.axes) == 1
        return last if is_unique else key


def parse_grid(settings: Sequence[str]) -> Grid:
    """Read axes as `distill.alpha=0,0.1,0.5`; values are YAML, so lists and mappings may be given.

    Raises:
        SweepError: something is no axis, or a key or a value comes twice.
    """
    axes = tuple(_parse_axis(text) for text in settings)
    if not axes:
        raise SweepError(f"a sweep needs a key to vary: got no -S, {SYNTAX}")
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise SweepError(f"-S {key} is given twice; give all its values in one")
    return Grid(axes)


def value_text(value: Any) -> str:
    """A value as one would write it on the command line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _parse_axis(text: str) -> Axis:
    from ruamel.yaml import YAML, YAMLError

    key, equals, listing = (part.strip() for part in text.partition("="))
    if not equals or not all(key.split(".")) or not listing:
        raise SweepError(f"-S {text}: {SYNTAX}")
    if key.split(".")[0] == "seeds":
        raise SweepError(
            f"-S {text}: seeds are repetitions of a point, not points; "
            "--seeds 5 gives every point the seeds 0 to 4"
        )
    try:
        values = YAML(typ="safe", pure=True).load(f"[{listing}]")
    except YAMLError:
        raise SweepError(f"-S {text}: {listing!r} is no list of YAML values; {SYNTAX}") from None
    for number, value in enumerate(values):
        # 1 and true are equal in Python, and 1 and 1.0 are the same setting
        if any(value == other and _kind(value) == _kind(other) for other in values[:number]):
            raise SweepError(f"-S {text}: {value_text(value)} is given twice; leave one out")
    return Axis(key, tuple(values))


def _kind(value: Any) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)
