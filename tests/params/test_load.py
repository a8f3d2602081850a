"""Reading params.yaml, and the checks that span sections."""

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kdtasks.core.errors import ParamsError
from kdtasks.learn.schedules.gap import Gap
from kdtasks.params import load_params, load_project_params, parse_params
from tests.tools.complete_params import write_params

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_valid_and_named_after_its_file(path: Path):
    assert load_params(path).recipe == path.stem


def test_params_yaml_is_valid():
    assert load_params(ROOT / "params.yaml").seeds


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"distill": {"arms": ["soft_labelled"]}},
            r"distill\.arms holds soft_labelled, and .* take",
        ),
        (
            {"distill": {"arms": ["hard"]}, "train": {"class_balance": "weights"}},
            r"hard and train\.class_balance is weights, .* set it to none",
        ),
        (
            {"compress": {"variants": ["int8"], "passes": {"filters": {"rank": "taylor"}}}},
            r"compress\.passes\.filters\.rank is taylor, and students see no label of the training "
            r"split; rank by l1 or batch_norm_scale, or show them labels \(data\.train_labels\)",
        ),
    ],
)
def test_what_needs_labels_is_refused_without_any(
    valid_content: dict[str, Any], keys: dict[str, Any], message: str
):
    content = {**valid_content, **keys}
    parse_params(content)
    content["data"] = {**content["data"], "train_labels": 0}
    with pytest.raises(ParamsError, match=message):
        parse_params(content)
    assert not parse_params({**valid_content, "data": content["data"]}).labels_seen


def test_sections_are_frozen(valid_content: dict[str, Any]):
    params = parse_params(valid_content)
    with pytest.raises((ValidationError, dataclasses.FrozenInstanceError)):
        params.distill.alpha = 0.5


def test_lists_become_tuples_and_defaults_are_filled_in(changed: Callable[..., Any]):
    params = parse_params(changed("exits"))
    assert params.seeds == (0, 1, 2, 3, 4)
    assert params.exits.mode == "drop"


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path):
    with pytest.raises(ParamsError, match=r"params\.yaml not found; `kdtasks recipe use"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got null; allowed: a mapping with recipe, seeds,"),
        ("[1, 2]", r"got \[1, 2\]; allowed: a mapping with"),
        ("recipe: [", "is not valid YAML: line 1, column 10: .*; correct it there$"),
        ("a:\n  b: [1\n  c: 2\nd: 3", r"line 3, column \d: .* that begins in line 2\); correct it"),
        ("recipe: a\nrecipe: b", 'is not valid YAML: .*duplicate key "recipe"'),
    ],
)
def test_a_file_that_is_no_mapping_is_one_line(tmp_path: Path, text: str, message: str):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError, match=message) as caught:
        load_params(path)
    assert "\n" not in str(caught.value)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path):
    path = tmp_path / "params.yaml"
    path.write_bytes("recipe: Größe".encode("latin-1"))
    with pytest.raises(ParamsError, match=r"is not UTF-8 text .*; save it as UTF-8"):
        load_params(path)


def test_a_preset_is_named_in_place_of_a_list(changed: Callable[..., Any]):
    params = parse_params(changed("augmentation.transforms", "light"))
    names = [item.name for item in params.augmentation.transforms]
    assert names == ["rotation", "zoom", "shift"]
    message = "augmentation.transforms: got 'lite'; allowed: a list of transforms, or one of none"
    with pytest.raises(ParamsError, match=message):
        parse_params(changed("augmentation.transforms", "lite"))


def test_a_schedule_stands_in_the_place_of_a_number(changed: Callable[..., Any]):
    schedule = {"name": "gap", "start": 0, "end": 1}
    params = parse_params(changed("distill.alpha", schedule))
    assert params.distill.alpha == Gap(start=0.0, end=1.0)
    assert parse_params(params.model_dump(mode="json")) == params


def test_a_project_names_keys_that_dvc_would_miss(tmp_path: Path, changed: Callable[..., Any]):
    (tmp_path / "params.yaml").write_text(json.dumps(changed("train.batch_size")))
    with pytest.raises(ParamsError, match=r"every key .* defaults: train\.batch_size: 64"):
        load_project_params(tmp_path)


def test_what_is_chosen_by_its_name_needs_no_defaults_in_the_file(
    tmp_path: Path, valid_content: dict[str, Any]
):
    """DVC watches it whole."""
    for name in ("data/raw", "data/raw-unlabelled", "models/import", "models/start"):
        (tmp_path / name).mkdir(parents=True)
    content = copy.deepcopy(valid_content)
    content["data"] |= {"source": {"name": "image_folder"}, "image_size": [8, 8]}
    (tmp_path / "params.yaml").write_text(json.dumps(content))
    assert load_project_params(tmp_path).data.source.name == "image_folder"
    del content["export"]["name"]
    (tmp_path / "params.yaml").write_text(json.dumps(content))
    with pytest.raises(ParamsError, match=r"export\.name"):
        load_project_params(tmp_path)


def test_a_project_names_a_path_that_is_not_there(tmp_path: Path, changed: Callable[..., Any]):
    folders = "evaluate.slices.folders"
    (tmp_path / "params.yaml").write_text(json.dumps(changed(folders, {})))
    with pytest.raises(ParamsError, match=r"data\.path: data/raw not found; correct it, or make"):
        load_project_params(tmp_path)
    (tmp_path / "data/raw").mkdir(parents=True)
    with pytest.raises(ParamsError, match=r"data\.unlabelled: data/raw-unlabelled not found"):
        load_project_params(tmp_path)
    (tmp_path / "data/raw-unlabelled").mkdir()
    with pytest.raises(ParamsError, match=r"teacher\.path: models/import not found"):
        load_project_params(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/import").symlink_to("/nowhere/at/all")
    message = r"teacher\.path: models/import is a link to /nowhere/at/all, .*; mount its disk, or"
    with pytest.raises(ParamsError, match=message):
        load_project_params(tmp_path)
    (tmp_path / "models/import").unlink()
    for name in ("models/import", "models/start"):
        (tmp_path / name).mkdir()
    (tmp_path / "params.yaml").write_text(json.dumps(changed(folders, {"night": "../night"})))
    message = r"evaluate\.slices\.folders\.night: \.\./night not found"
    with pytest.raises(ParamsError, match=message):
        load_project_params(tmp_path)


def test_a_teacher_that_is_not_there_yet_is_missed_before_anything_runs(
    tmp_path: Path, changed: Callable[..., Any]
):
    for name in ("data/raw", "data/raw-unlabelled", "models/import", "models/start"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "models/import/.gitkeep").touch()
    (tmp_path / "params.yaml").write_text(json.dumps(changed("teacher.source", "import")))
    with pytest.raises(ParamsError, match=r"teacher\.path: models/import is empty; put"):
        load_project_params(tmp_path)
    (tmp_path / "models/import/big.keras").touch()
    assert load_project_params(tmp_path).teacher.source == "import"


def test_expanded_recipes_are_complete(tmp_path: Path):
    for folder in (
        "data/raw",
        "data/raw-unlabelled",
        "data/slices",
        "models/arm",
        "models/import",
        "models/start",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "results").symlink_to(RECIPES[0].parents[1] / "results")
    for recipe in RECIPES:
        write_params(tmp_path, recipe.stem)
        assert load_project_params(tmp_path) == load_params(recipe)


@pytest.mark.parametrize("name", ["my_package.networks:build", "networks.build"])
def test_a_python_object_is_no_network(changed: Callable[..., Any], name: str):
    message = rf"student\.model\.name: got \"{name}\"; .*params are data and name no code to run"
    with pytest.raises(ParamsError, match=f"{message}: register your own by a file in extensions/"):
        parse_params(changed("student.model", {"name": name}))


def test_what_a_file_holds_is_seen_when_it_is_read(changed: Callable[..., Any]):
    content = changed("student.model", {"name": "file", "path": "own.keras"})
    content["student"]["exits"] = ["any"]
    params = parse_params(content)
    assert params.student.model.taps() is None
    assert params.student.model.per_pixel is None
