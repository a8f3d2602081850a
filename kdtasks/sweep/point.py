"""The points of a sweep: each a whole, valid params.yaml and the name of its experiment."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdtasks.errors import ParamsError
from kdtasks.params import Params, load_project_params
from kdtasks.params.explain import shown
from kdtasks.params.load import parse_params
from kdtasks.sweep.grid import Grid, value_text

NAME_LENGTH = 60  # of what can be read in an experiment's name
DIGEST_LENGTH = 6


@dataclass(frozen=True)
class Point:
    """One combination of the grid."""

    label: str  # as alpha=0.1, temperature=3
    settings: dict[str, Any]  # key to value
    params: Params
    text: str  # of its params.yaml
    experiment: str  # the name of its DVC experiment


def make_points(
    project: Path, grid: Grid, *, seeds: Sequence[int] | None, stages: Sequence[str]
) -> list[Point]:
    """Put every combination into the project's params.yaml and validate what comes out.

    Arguments:
        seeds: instead of the project's own.
        stages: what is run at every point; part of its identity.

    Raises:
        ParamsError: the project's params.yaml or a point is not valid; nothing has run by then.
    """
    load_project_params(project)
    text = (project / "params.yaml").read_text(encoding="utf-8")
    points = []
    for settings in grid.combinations:
        label = describe(grid, settings)
        changes = settings if seeds is None else {**settings, "seeds": list(seeds)}
        changed, content = with_settings(text, changes)
        params = parse_params(content, source=f"point {label}")
        identity = [params.model_dump(mode="json"), list(stages)]
        name = f"{_slug(grid, settings)}-{short_digest(identity)}"
        points.append(Point(label, settings, params, changed, name))
    return points


def describe(grid: Grid, settings: dict[str, Any]) -> str:
    """Settings as people read them: alpha=0.1, temperature=3."""
    return ", ".join(f"{grid.short(key)}={value_text(value)}" for key, value in settings.items())


def short_digest(identity: Any) -> str:
    """A few letters of the hash of what makes a point this one, as JSON."""
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def _slug(grid: Grid, settings: dict[str, Any]) -> str:
    parts = [readable_name(f"{grid.short(key)}={value_text(settings[key])}") for key in settings]
    return re.sub(r"\.\.+", ".", "_".join(parts))[:NAME_LENGTH]


def readable_name(text: str) -> str:
    """A text as a part of a git reference: without the characters that git forbids there."""
    return re.sub(r"\.\.+", ".", re.sub(r"[^A-Za-z0-9.+=-]+", "_", text).strip("_"))


def with_settings(text: str, settings: dict[str, Any]) -> tuple[str, Any]:
    """A params file with some keys set, its comments kept; as text and as it will be read."""
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
    return buffer.getvalue(), YAML(typ="safe", pure=True).load(buffer.getvalue())


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
