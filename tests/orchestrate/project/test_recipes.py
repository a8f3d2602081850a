"""Recipes: listed, found, and copied without losing anybody's edits."""

from pathlib import Path

import pytest

from kdtasks.core.errors import ParamsError
from kdtasks.orchestrate.project.project import ProjectError
from kdtasks.orchestrate.project.recipes import find_recipe, list_recipes, use_recipe

ROOT = Path(__file__).parents[3]
VALID = (ROOT / "recipes" / "mnist-5k.yaml").read_text(encoding="utf-8")


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    """A project with the recipes `mnist-5k`, `other` and the invalid `broken`."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "mnist-5k.yaml").write_text(VALID, encoding="utf-8")
    (folder / "other.yaml").write_text(
        VALID.replace("recipe: mnist-5k", "recipe: other"), encoding="utf-8"
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
        pytest.raises(ProjectError, match=r"another run \(process \d+\) is at work in .*; wait"),
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
