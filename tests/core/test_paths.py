"""`ProjectPaths` and `dvc.yaml` name the same outputs."""

import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from kdtasks.core.paths import LOCK, PARAMS, PIPELINE, ProjectPaths, _Path

REPOSITORY = Path(__file__).parents[2]
PATHS = ProjectPaths()
DECLARED: dict[str, Any] = YAML(typ="safe", pure=True).load(REPOSITORY / PIPELINE)
VALUES: dict[str, Any] = YAML(typ="safe", pure=True).load(REPOSITORY / PARAMS)
VALUES["distill"]["arms"] = ["hard", "all_labels"]
VALUES["evaluate"]["slices"]["folders"] = {"night": "data/night", "camera_b": "../b"}
# What DVC does not write itself, and the folders of several outputs.
INPUTS = {PATHS.params, PATHS.pipeline, PATHS.lock, PATHS.extensions, PATHS.published}
FOLDERS = {PATHS.report}


def looked_up(reference: str) -> list[Any]:
    """Values of `${section.key}` in params.yaml."""
    found: Any = VALUES
    for key in reference.strip("${}").split("."):
        found = found[key]
    return found


def items_of(stage: dict[str, Any]) -> list[dict[str, Any]]:
    """What a stage runs for: each seed, variant, folder, arm and seed; once of none."""
    if "foreach" in stage:
        return [{"key": name} for name in looked_up(stage["foreach"])]
    matrix = {name: looked_up(values) for name, values in stage.get("matrix", {}).items()}
    return [dict(zip(matrix, item, strict=True)) for item in itertools.product(*matrix.values())]


def keys_of(stage: dict[str, Any]) -> list[Any]:
    """The keys of these; None where there is none."""
    return ["/".join(map(str, item.values())) or None for item in items_of(stage)]


def declared_outputs() -> Iterator[Path]:
    """Every output in dvc.yaml, one for each seed or variant."""
    yield from map(Path, DECLARED["metrics"])
    for stage in DECLARED["stages"].values():
        for kind in ("outs", "metrics", "plots"):
            for output in stage.get("do", stage).get(kind, []):
                name = output if isinstance(output, str) else next(iter(output))
                for item in items_of(stage):
                    filled = name
                    for key, value in item.items():
                        filled = filled.replace(f"${{item.{key}}}", str(value))
                        filled = filled.replace(f"${{{key}}}", str(value))
                    yield Path(filled)


def named_by(method: str) -> set[Path]:
    """What a method gives for every stage and key that it could be asked for."""
    call = getattr(PATHS, method)
    if set(inspect.signature(call).parameters) == {"stage", "key"}:
        return {
            call(name, key) for name, stage in DECLARED["stages"].items() for key in keys_of(stage)
        }
    of_folders = method == "slice_folder"
    keys = VALUES["evaluate"]["slices"]["folders"] if of_folders else VALUES["compress"]["variants"]
    return {call(key) for key in keys}


PROPERTIES = [name for name, member in vars(ProjectPaths).items() if isinstance(member, _Path)]
METHODS = [name for name, _ in inspect.getmembers(PATHS, inspect.ismethod) if name[0] != "_"]
OUTPUTS = set(declared_outputs())


def test_every_declared_output_has_a_name():
    named = {getattr(PATHS, name) for name in PROPERTIES}.union(*map(named_by, METHODS))
    assert len(OUTPUTS) > len(DECLARED["stages"])
    assert sorted(OUTPUTS - named) == []


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_names_an_output_or_is_known_to_be_none(name: str):
    path = getattr(PATHS, name)
    if path in INPUTS or path.is_relative_to(PATHS.state):
        return
    inside = any(path.is_relative_to(output) for output in OUTPUTS)
    above = path in FOLDERS and any(output.is_relative_to(path) for output in OUTPUTS)
    assert inside or above


@pytest.mark.parametrize("name", METHODS)
def test_a_method_names_outputs_or_what_git_ignores(name: str):
    named = named_by(name)
    private = all(path.is_relative_to(PATHS.state) for path in named)
    of_any_stage = name in ("model", "metrics", "plot")
    assert private or (named & OUTPUTS if of_any_stage else named <= OUTPUTS)


def test_all_paths_are_below_the_root():
    paths = ProjectPaths(Path("project"))
    assert {getattr(paths, name).parts[0] for name in PROPERTIES} == {"project"}
    assert paths.metrics("compress", "int8") == Path("project/metrics/compress/int8.json")
    assert paths.model("distill", 0) == Path("project/models/distill/0")
    assert paths.lock == Path("project") / LOCK


def test_a_name_may_hold_dots_and_slashes():
    assert PATHS.metrics("evaluate", "v1.5") == Path("metrics/evaluate/v1.5.json")
    assert PATHS.checkpoint("teacher/member_0") == Path(".kdtasks/checkpoints/teacher-member_0.npz")
    assert PATHS.events("distill@0") == Path(".kdtasks/events/distill@0.jsonl")


def test_git_ignores_the_state():
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"/{PATHS.state}/" in ignored
