"""The grid of a sweep: a key of params.yaml and its values for every axis."""

import hashlib
import json
import re
from collections.abc import Callable, Hashable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import StringIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kdtasks.core.errors import ParamsError, SweepError
from kdtasks.core.paths import ProjectPaths
from kdtasks.params import Params, load_project_params
from kdtasks.params.explain import shown
from kdtasks.params.load import parse_params
from kdtasks.params.text import parse_yaml

if TYPE_CHECKING:
    from ruamel.yaml import YAML

SYNTAX = "expected KEY=VALUE,VALUE,…, as in distill.alpha=0.1,0.5"
NAME_LENGTH = 60  # of what can be read in an experiment's name
DIGEST_LENGTH = 6


Settings = dict[str, Any]  # key of params.yaml, dotted as distill.alpha, to value: any JSON


class Axis(NamedTuple):
    """One key and the values that it takes, in the order given."""

    key: str  # dotted, as distill.alpha
    values: tuple[Any, ...]


class Grid(NamedTuple):
    """All combinations of the values of some axes."""

    axes: tuple[Axis, ...]

    @property
    def combinations(self) -> list[Settings]:
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
    key, equals, listing = (part.strip() for part in text.partition("="))
    if not equals or not all(key.split(".")) or not listing:
        raise SweepError(f"-S {text}: {SYNTAX}")
    if key.split(".")[0] == "seeds":
        raise SweepError(
            f"-S {text}: seeds are repetitions of a point, not points; "
            "--seeds 5 gives every point the seeds 0 to 4"
        )
    try:
        values = parse_yaml(f"[{listing}]", "the list")
    except ParamsError:
        raise SweepError(f"-S {text}: {listing!r} is not a list of YAML values; {SYNTAX}") from None
    known = set()
    for value in values:
        # 1 and true are equal in Python, and 1 and 1.0 are the same setting
        same = _kind(value), value if isinstance(value, Hashable) else value_text(value)
        if same in known:
            raise SweepError(f"-S {text}: {value_text(value)} is given twice; give it once")
        known.add(same)
    return Axis(key, tuple(values))


def _kind(value: Any) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


class ParamsFile:
    """A params file that others are made of by setting keys: parsed once for all of them."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def plain(self) -> dict[str, Any]:
        """Its content."""
        return dict(_plain(self._text) or {})

    @cached_property
    def tree(self) -> Any:
        """Its content with comments, which nobody may change."""
        return _round_trip().load(self._text)


@dataclass(frozen=True)
class Draft:
    """A params file with some keys set."""

    base: ParamsFile
    settings: Settings

    @cached_property
    def content(self) -> dict[str, Any]:
        """What is read where its `text` is written; most of it is the base's own, so only read it.

        Raises:
            ParamsError: a key is not in a section.
        """
        content = dict(self.base.plain)
        for key, value in self.settings.items():
            _set(content, key, _plain(_as_json(value)), copy=dict)
        return content

    @property
    def text(self) -> str:
        """The file, with the comments of the base.

        Raises:
            ParamsError: a key is not in a section.
        """
        from ruamel.yaml import YAML

        content = deepcopy(self.base.tree)
        for key, value in self.settings.items():
            # through JSON: lists and mappings then stand on one line, as in the recipes
            _set(content, key, YAML().load(_as_json(value)))
        buffer = StringIO()
        _round_trip().dump(content, buffer)
        return buffer.getvalue()

    def params(self, source: str) -> Params:
        """Validate it.

        Raises:
            ParamsError: it is not valid, which the message says of `source`; or a key is not in a
                section.
        """
        return parse_params(self.content, source=source)


@dataclass(frozen=True)
class Point:
    """One combination of the grid."""

    label: str  # as alpha=0.1, temperature=3
    settings: Settings
    params: Params
    draft: Draft  # of its params.yaml
    experiment: str  # the name of its DVC experiment

    @property
    def text(self) -> str:
        """Its params.yaml."""
        return self.draft.text

    @property
    def about(self) -> dict[str, Any]:
        """The fields of `SweptPoint`."""
        return {name: getattr(self, name) for name in ("label", "settings", "experiment")}


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
    base = ParamsFile(ProjectPaths(project).params.read_text(encoding="utf-8"))
    points = []
    for settings in grid.combinations:
        label = describe(grid, settings)
        draft = Draft(base, settings if seeds is None else {**settings, "seeds": list(seeds)})
        params = draft.params(f"point {label}")
        identity = [params.model_dump(mode="json"), list(stages)]
        name = f"{readable_name(label)}-{short_digest(identity)}"
        points.append(Point(label, settings, params, draft, name))
    return points


def describe(grid: Grid, settings: Settings) -> str:
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


def with_settings(text: str, settings: Settings, *, source: str) -> tuple[str, Params]:
    """A params file with some keys set, its comments kept; as text and as it will be read.

    Raises:
        ParamsError: as `Draft.params`.
    """
    draft = Draft(ParamsFile(text), settings)
    return draft.text, draft.params(source)


def _as_json(value: Any) -> str:
    return json.dumps(value, default=str)


@lru_cache
def _plain(text: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)


def _round_trip() -> "YAML":
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
    return yaml


def _set(content: Any, key: str, value: Any, copy: Callable[[Any], Any] = lambda x: x) -> None:
    """Set a key; the sections that it lies in are changed as copies."""
    *sections, last = key.split(".")
    for number, name in enumerate(sections):
        section = content.setdefault(name, {})
        if not isinstance(section, dict):
            path = ".".join(sections[: number + 1])
            raise ParamsError(
                f"-S {key}: {path} is {shown(section)}, not a section with keys; "
                f"set {path} as a whole"
            )
        content[name] = content = copy(section)
    content[last] = value
