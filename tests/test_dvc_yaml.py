"""dvc.yaml names every file of code and every section of params that a stage uses."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from kdtasks.params.load import Params

ROOT = Path(__file__).parents[1]
STAGES: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(
    (ROOT / "dvc.yaml").read_text(encoding="utf-8")
)["stages"]

# What shapes no output: messages, types and the validation of values that DVC watches itself.
_WITHOUT_INFLUENCE = (
    "kdtasks/__init__.py",
    "kdtasks/errors.py",
    "kdtasks/stage.py",
    "kdtasks/params",
    "kdtasks/compression/variants.py",
)


def is_for_types_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imported_by(path: Path) -> set[Path]:
    """Files of the package that a file imports, inside functions too."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not is_for_types_only(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    files = [
        ROOT / (name.replace(".", "/") + ".py") for name in names if name.startswith("kdtasks.")
    ]
    return {file for file in files if file.is_file()}


def has_influence(file: Path) -> bool:
    name = file.relative_to(ROOT).as_posix()
    return not any(name == one or name.startswith(f"{one}/") for one in _WITHOUT_INFLUENCE)


def everything_imported_by(path: Path) -> set[str]:
    """Files of the package that a file needs, directly or through others."""
    waiting: list[Path] = [path]
    found: set[Path] = set()
    while waiting:
        fresh = {file for file in imported_by(waiting.pop()) - found if has_influence(file)}
        found |= fresh
        waiting.extend(fresh)
    return {file.relative_to(ROOT).as_posix() for file in found}


@pytest.mark.parametrize("stage", STAGES)
def test_code_that_a_stage_uses_is_a_dependency(stage: str):
    dependencies = (f"stages/{stage}.py", *STAGES[stage]["deps"])
    missing = {
        file
        for file in everything_imported_by(ROOT / "stages" / f"{stage}.py")
        if not any(file == one or file.startswith(f"{one}/") for one in dependencies)
    }
    assert missing == set()
    assert f"stages/{stage}.py" in STAGES[stage]["deps"]


@pytest.mark.parametrize("stage", STAGES)
def test_params_that_a_stage_names_are_watched(stage: str):
    script = (ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8")
    named = set(re.findall(r"params\.([a-z]+)", script)) & set(Params.model_fields)
    watched = {key.partition(".")[0] for key in STAGES[stage].get("params", [])}
    if "params.yaml" not in STAGES[stage]["deps"]:
        assert named - watched <= {"train"} | ({"compress"} if stage == "compress" else set())


@pytest.mark.parametrize("stage", STAGES)
def test_code_that_is_a_dependency_is_there(stage: str):
    for dependency in STAGES[stage]["deps"]:
        if dependency.startswith(("kdtasks/", "stages/")):
            assert (ROOT / dependency).exists()
