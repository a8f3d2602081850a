"""List, show, use and compare the recipes: what differs from the defaults."""

import json
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.core.errors import ParamsError, ProjectError, did_you_mean
from kdtasks.core.files import write_text
from kdtasks.core.installed import recipes_of
from kdtasks.core.paths import PARAMS, ProjectPaths
from kdtasks.orchestrate.project.project import one_run_at_a_time
from kdtasks.params import Params, load_params
from kdtasks.params.write import render_params


class ChangedSetting(NamedTuple):
    """A key that two params differ in, written with dots; None stands for a missing key.

    A mapping that is told apart by its `name`, such as a network, is one value where the names
    differ.
    """

    key: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        ours, theirs = (json.dumps(value, ensure_ascii=False) for value in self[1:])
        return f"{self.key}: {ours} → {theirs}"


def list_recipes(project: Path) -> dict[str, str]:
    """Every recipe's name and the first comment line of its file, sorted by name."""
    return {
        name: _first_comment(path.read_text(encoding="utf-8"))
        for name, path in sorted(recipes_of(project).items())
    }


def find_recipe(project: Path, name: str) -> Path:
    """The file of a recipe.

    Raises:
        ProjectError: there is no recipe of that name; the message lists the choices.
    """
    files = recipes_of(project)
    if name in files:
        return files[name]
    names = sorted(files)
    choices = ", ".join(names) or f"none, {project / 'recipes'} holds no .yaml file"
    raise ProjectError(f"recipe {name!r} is unknown; recipes: {choices}{did_you_mean(name, names)}")


def use_recipe(project: Path, name: str, *, force: bool = False) -> Path | None:
    """Write a recipe and the defaults it leaves alone to params.yaml, every key with a comment.

    Returns: the backup of a params.yaml with own edits; None where there was nothing to keep.

    Raises:
        ProjectError: the recipe is unknown, params.yaml has own edits and `force` is not set, or a
            run is going on in the project.
        ParamsError: the recipe's file holds something that is not allowed.
    """
    text = render_params(load_params(find_recipe(project, name)))
    # Stages read params.yaml when they start: it must not change under a `kdtasks run`.
    with one_run_at_a_time(project) if (project / ".dvc").is_dir() else nullcontext():
        return _replace(ProjectPaths(project).params, text, project, force=force)


def compare_with_recipe(project: Path, name: str) -> list[ChangedSetting]:
    """The keys in which params.yaml differs from a recipe, in the order of params.yaml."""
    ours, theirs = ProjectPaths(project).params, find_recipe(project, name)
    return differences(load_params(ours), load_params(theirs))


def differences(ours: Params, theirs: Params) -> list[ChangedSetting]:
    """The keys in which two params differ; lists and networks are compared whole."""
    return _differences(ours.model_dump(mode="json"), theirs.model_dump(mode="json"), prefix="")


def _differences(ours: dict[str, Any], theirs: dict[str, Any], prefix: str) -> list[ChangedSetting]:
    differences = []
    for key in dict.fromkeys([*ours, *theirs]):
        one, two = ours.get(key), theirs.get(key)
        if isinstance(one, dict) and isinstance(two, dict) and one.get("name") == two.get("name"):
            differences += _differences(one, two, prefix=f"{prefix}{key}.")
        elif one != two:
            differences.append(ChangedSetting(f"{prefix}{key}", one, two))
    return differences


def _replace(path: Path, text: str, project: Path, *, force: bool) -> Path | None:
    backup = None
    if path.is_file() and not _is_a_recipe(path, project):
        if not force:
            raise ProjectError(
                f"{path} has edits of your own; add --force to replace it "
                "(a copy is kept as params.yaml.bak)"
            )
        backup = path.with_name(f"{PARAMS}.bak")
        write_text(backup, path.read_text(encoding="utf-8"))
    write_text(path, text)
    return backup


def _is_a_recipe(path: Path, project: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    for recipe in recipes_of(project).values():
        with suppress(ParamsError):  # a recipe that is not valid is nobody's params.yaml
            if render_params(load_params(recipe)) == text:
                return True
    return False


def _first_comment(text: str) -> str:
    comments = (line for line in text.splitlines() if line.startswith("#"))
    return next(comments, "").lstrip("# ").strip()
