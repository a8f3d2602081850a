"""dvc.yaml names every file of code and every section of params that a stage uses."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from kdtasks.core.code import closure
from kdtasks.data.settings import DataParams
from kdtasks.learn.training.settings import TrainParams
from kdtasks.params.load import Params, load_params
from stages import export

ROOT = Path(__file__).parents[1]
DECLARED: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(
    (ROOT / "dvc.yaml").read_text(encoding="utf-8")
)["stages"]
STAGES = {name: content.get("do", content) for name, content in DECLARED.items()}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_the_code_of_every_stage_is_listed_again_whatever_of_it_changes(stage: str):
    watched = [ROOT / name for name in STAGES["code"]["deps"]]
    for file in closure(ROOT / f"stages/{stage}.py", ROOT):
        assert any(folder in file.parents for folder in watched), file


def test_every_stage_has_a_script_and_depends_on_the_list_of_its_code():
    scripts = {path.stem for path in (ROOT / "stages").glob("*.py")}
    assert scripts == set(STAGES)
    for stage, content in STAGES.items():
        assert stage == "code" or f"data/code/{stage}.txt" in content["deps"]
        assert content["cmd"].split()[:3] == ["python", "-m", f"stages.{stage}"]


def test_the_first_stage_runs_when_a_path_is_changed_that_a_later_one_depends_on():
    paths = {dep for content in STAGES.values() for dep in content["deps"] if dep.startswith("${")}
    keys = {dep[2:-1] for dep in paths if "item" not in dep}
    keys |= {content["foreach"][2:-1] for content in DECLARED.values() if "foreach" in content}
    assert keys == set(STAGES["code"]["params"]) - {"distill.loss", "train.loss"}


def test_no_stage_reaches_the_command_line_or_the_runner():
    watched = STAGES["code"]["deps"]
    assert not [name for name in watched if name.startswith(("kdtasks/cli", "kdtasks/orchestrate"))]


@pytest.mark.parametrize("stage", STAGES)
def test_params_that_a_stage_names_are_watched(stage: str):
    script = (ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8")
    named = set(re.findall(r"params\.([a-z]+)", script)) & set(Params.model_fields)
    watched = {key.partition(".")[0] for key in STAGES[stage].get("params", [])}
    if "params.yaml" not in STAGES[stage]["deps"]:
        assert named - watched <= {"train"} | ({"compress"} if stage == "compress" else set())


def test_data_are_made_again_whatever_of_their_params_changes():
    watched = {*STAGES["prepare"]["params"], *STAGES["labels"]["params"]}
    assert watched >= {f"data.{key}" for key in DataParams.model_fields}


@pytest.mark.parametrize("stage", ["teacher", "prospect", "student", "distill", "arm", "compress"])
def test_a_training_runs_again_whatever_of_its_params_changes(stage: str):
    without_influence = {"guard_epochs", "memory_limit_mb"}  # on what comes out
    if stage == "teacher":
        without_influence.add("exit_gradient")  # it has one exit
    keys = TrainParams.model_fields.keys() - without_influence
    assert {*STAGES[stage]["params"]} >= {f"train.{key}" for key in keys}


def test_what_a_bundle_tells_of_params_is_what_its_stage_depends_on():
    """A key in the manifest that DVC does not watch would stay as it was when it changes."""
    told = load_params(ROOT / "params.yaml").model_dump(exclude=export.LATER)
    watched: dict[str, set[str]] = {}
    for key in STAGES["export"]["params"]:
        section, _, inner = key.partition(".")
        watched.setdefault(section, set()).add(inner)
    assert set(told) == set(watched)
    for section, keys in watched.items():
        assert keys == {""} or keys == set(told[section])
