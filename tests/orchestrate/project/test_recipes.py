"""Recipes: listed, found, and copied without losing anybody's edits."""

from pathlib import Path

import pytest

from kdtasks.core.errors import ParamsError
from kdtasks.orchestrate.project.project import ProjectError
from kdtasks.orchestrate.project.recipes import (
    compare_with_recipe,
    differences,
    find_recipe,
    list_recipes,
    use_recipe,
)
from kdtasks.params import load_params
from tests.tools.complete_params import complete_params

ROOT = Path(__file__).parents[3]
OVERLAY = (ROOT / "recipes" / "mnist-5k.yaml").read_text(encoding="utf-8")
VALID = complete_params()


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    """A project with the recipes `mnist-5k`, `other` and the invalid `broken`."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "mnist-5k.yaml").write_text(OVERLAY, encoding="utf-8")
    (folder / "other.yaml").write_text(
        OVERLAY.replace("recipe: mnist-5k", "recipe: other"), encoding="utf-8"
    )
    (folder / "broken.yaml").write_text("recipe: broken\n", encoding="utf-8")
    return tmp_path


def test_list_has_first_comment_lines_in_order_of_names(recipes: Path):
    (recipes / "recipes" / "a.yaml").write_text("recipe: a\n#  What it shows.\n# More.\n")
    listed = list_recipes(recipes)
    assert list(listed) == ["a", "broken", "mnist-5k", "other"]
    assert listed["a"] == "What it shows."
    assert listed["broken"] == ""
    assert listed["mnist-5k"].startswith("Recipe mnist-5k: ")


def test_an_unknown_name_lists_the_choices_and_the_nearest(recipes: Path):
    with pytest.raises(
        ProjectError,
        match=r"'mnist' is unknown; recipes: broken, mnist-5k, other; did you mean 'mnist-5k'\?",
    ):
        find_recipe(recipes, "mnist")


def test_a_path_is_no_name(recipes: Path):
    with pytest.raises(ProjectError, match="is unknown"):
        find_recipe(recipes, "../params")


def test_no_recipes(tmp_path: Path):
    with pytest.raises(ProjectError, match=r"recipes: none, .* holds no \.yaml file"):
        find_recipe(tmp_path, "x")


def test_use_writes_a_first_params_file(recipes: Path):
    assert use_recipe(recipes, "mnist-5k") is None
    assert (recipes / "params.yaml").read_text(encoding="utf-8") == VALID


def test_use_replaces_another_recipe_without_a_backup(recipes: Path):
    use_recipe(recipes, "mnist-5k")
    assert use_recipe(recipes, "other") is None
    assert "recipe: other" in (recipes / "params.yaml").read_text(encoding="utf-8")
    assert not (recipes / "params.yaml.bak").exists()


def test_own_edits_are_refused_then_kept_as_a_backup(recipes: Path):
    params = recipes / "params.yaml"
    params.write_text(VALID + "# mine\n", encoding="utf-8")
    with pytest.raises(ProjectError, match="has edits of your own; add --force"):
        use_recipe(recipes, "other")
    assert params.read_text(encoding="utf-8") == VALID + "# mine\n"
    backup = use_recipe(recipes, "other", force=True)
    assert backup == recipes / "params.yaml.bak"
    assert backup.read_text(encoding="utf-8") == VALID + "# mine\n"
    assert "recipe: other" in params.read_text(encoding="utf-8")


def test_params_do_not_change_under_a_run(recipes: Path):
    from kdtasks.orchestrate.project.project import one_run_at_a_time

    use_recipe(recipes, "mnist-5k")
    before = (recipes / "params.yaml").read_bytes()
    (recipes / ".dvc").mkdir()
    with (
        one_run_at_a_time(recipes),
        pytest.raises(ProjectError, match=r"another run \(process \d+\) is running in .*; wait"),
    ):
        use_recipe(recipes, "other")
    assert (recipes / "params.yaml").read_bytes() == before


def test_an_invalid_recipe_changes_nothing(recipes: Path):
    use_recipe(recipes, "mnist-5k")
    with pytest.raises(ParamsError, match="seeds: missing"):
        use_recipe(recipes, "broken", force=True)
    assert (recipes / "params.yaml").read_text(encoding="utf-8") == VALID


def test_every_recipe_says_in_one_sentence_what_it_is():
    listed = list_recipes(ROOT)
    assert len(listed) >= 8
    for name, description in listed.items():
        assert description.endswith("."), (name, description)


def test_differences_from_a_recipe_are_told_key_by_key(recipes: Path):
    use_recipe(recipes, "mnist-5k")
    assert compare_with_recipe(recipes, "mnist-5k") == []
    params = recipes / "params.yaml"
    text = params.read_text(encoding="utf-8")
    edited = text.replace("  temperature: 2.0\n", "  temperature: 4.0\n")
    edited = edited.replace("seeds: [0, 1, 2, 3, 4]", "seeds: [0]")
    params.write_text(edited, encoding="utf-8")
    told = [str(difference) for difference in compare_with_recipe(recipes, "mnist-5k")]
    assert told == ["seeds: [0] → [0, 1, 2, 3, 4]", "distill.temperature: 4.0 → 2.0"]


def test_a_network_of_another_name_is_one_difference(recipes: Path):
    ours = load_params(ROOT / "recipes" / "mnist-5k.yaml")
    theirs = load_params(ROOT / "recipes" / "mlperf-tiny.yaml")
    keys = [difference.key for difference in differences(ours, theirs)]
    assert "student.model" in keys
    assert not [key for key in keys if key.startswith("student.model.")]


def test_params_yaml_is_the_default_recipe_written_out():
    assert (ROOT / "params.yaml").read_text(encoding="utf-8") == VALID, (
        "run `python -m kdtasks.params.write mnist-5k > params.yaml`"
    )
