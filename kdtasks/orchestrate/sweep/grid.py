"""The grid of a sweep: a key of params.yaml and its values for every axis."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.core.errors import ParamsError, SweepError
from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params, load_project_params
from kdtasks.params.explain import shown
from kdtasks.params.load import parse_params

SYNTAX = "expected KEY=VALUE,VALUE,…, as in distill.alpha=0.1,0.5"
NAME_LENGTH = 60  # of what can be read in an experiment's name
DIGEST_LENGTH = 6


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

    def short(self, key: str) -> str:
        """A key without its sections, unless two axes would then have one name."""
        last = key.rpartition(".")[2]
        is_unique = sum(axis.key.rpartition(".")[2] == last for axis in self.axes) == 1
        return last if is_unique else key


def parse_grid(settings: Sequence[str]) -> Grid:
    """Read axes as `distill.alpha=0,0.1,0.5`; values are YAML, so lists and mappings may be given.

    Raises:
        SweepError: something is not an axis, or a key or a value is given twice.
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
        raise SweepError(f"-S {text}: {listing!r} is not a list of YAML values; {SYNTAX}") from None
    for number, value in enumerate(values):
        # 1 and true are equal in Python, and 1 and 1.0 are the same setting
        if any(value == other and _kind(value) == _kind(other) for other in values[:number]):
            raise SweepError(f"-S {text}: {value_text(value)} is given twice; give it once")
    return Axis(key, tuple(values))


def _kind(value: Any) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


@dataclass(frozen=True)
class Point:
    """One combination of the grid."""

    label: str  # as alpha=0.1, temperature=3
    settings: dict[str, Any]  # key to value
    params: Params
    text: str  # of its params.yaml
    experiment: str  # the name of its DVC experiment

    @property
    def about(self) -> dict[str, Any]:
        """What stands of it in the JSON of a sweep or search, whatever came out."""
        names = ("label", "settings", "experiment")
        return {name: getattr(self, name) for name in names}


def make_points(
    project: Path, grid: Grid, *, seeds: Sequence[int] | None, stages: Sequence[str]
) -> list[Point]:
    """Put every combination into the project's params.yaml and validate what comes out.

    Args:
        seeds: instead of the project's own.
        stages: what is run at every point; part of its identity.

    Raises:
        ParamsError: the project's params.yaml or a point is not valid; nothing has run by then.
    """
    load_project_params(project)
    text = ProjectPaths(project).params.read_text(encoding="utf-8")
    points = []
    for settings in grid.combinations:
        label = describe(grid, settings)
        changes = settings if seeds is None else {**settings, "seeds": list(seeds)}
        changed, params = with_settings(text, changes, source=f"point {label}")
        identity = [params.model_dump(mode="json"), list(stages)]
        name = f"{readable_name(label)}-{short_digest(identity)}"
        points.append(Point(label, settings, params, changed, name))
    return points


def describe(grid: Grid, settings: dict[str, Any]) -> str:
    """Settings as people read them: alpha=0.1, temperature=3."""
    return ", ".join(f"{grid.short(key)}={value_text(value)}" for key, value in settings.items())


def short_digest(identity: Any) -> str:
    """A few letters of the hash of what makes a point this one, as JSON."""
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def readable_name(text: str) -> str:
    """A text as a part of a git reference: without the characters that git forbids there."""
    allowed = re.sub(r"[^A-Za-z0-9.+=-]+", "_", text).strip("_")
    return re.sub(r"\.\.+", ".", allowed)[:NAME_LENGTH]


def with_settings(text: str, settings: dict[str, Any], *, source: str) -> tuple[str, Params]:
    """A params file with some keys set, its comments kept; as text and as it will be read.

    Raises:
        ParamsError: what comes out is not valid, which the message says of `source`; or a key is
            not in a section.
    """
    from io import StringIO

    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Writes null as `null`, as the recipes do, and not as nothing."""

    Representer.add_representer(
        type(None), lambda self, value: self.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    yaml = YAML()
    yaml.Representer = Representer
    yaml.preserve_quotes = True
    yaml.width = 100
    content = yaml.load(text)
    for key, value in settings.items():
        # through JSON: lists and mappings then stand on one line, as in the recipes
        _set(content, key, YAML().load(json.dumps(value, default=str)))
    buffer = StringIO()
    yaml.dump(content, buffer)
    content = YAML(typ="safe", pure=True).load(buffer.getvalue())
    return buffer.getvalue(), parse_params(content, source=source)


def _set(content: Any, key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for number, section in enumerate(sections):
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            path = ".".join(sections[: number + 1])
            raise ParamsError(
                f"-S {key}: {path} is {shown(content)}, not a section with keys; "
                f"set {path} as a whole"
            )
    content[last] = value
