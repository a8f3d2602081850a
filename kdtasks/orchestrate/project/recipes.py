"""List, show and use the recipes: complete params files in the project's `recipes/`."""

from contextlib import nullcontext
from pathlib import Path

from kdtasks.core.errors import ProjectError, did_you_mean
from kdtasks.core.files import write_text
from kdtasks.core.paths import ProjectPaths
from kdtasks.orchestrate.project.project import one_run_at_a_time
from kdtasks.params import load_params


def list_recipes(project: Path) -> dict[str, str]:
    """Every recipe's name and the first comment line of its file, sorted by name."""
    return {
        path.stem: _first_comment(path.read_text(encoding="utf-8"))
        for path in sorted((project / "recipes").glob("*.yaml"))
    }


def find_recipe(project: Path, name: str) -> Path:
    """The file of a recipe.

    Raises:
        ProjectError: there is no recipe of that name; the message lists the choices.
    """
    names = list(list_recipes(project))
    if name in names:
        return project / "recipes" / f"{name}.yaml"
    choices = ", ".join(names) or f"none, {project / 'recipes'} holds no .yaml file"
    raise ProjectError(f"recipe {name!r} is unknown; recipes: {choices}{did_you_mean(name, names)}")


def use_recipe(project: Path, name: str, *, force: bool = False) -> Path | None:
    """Validate a recipe and copy it onto params.yaml.

    Returns: the backup of a params.yaml with own edits; null where there was nothing to keep.

    Raises:
        ProjectError: the recipe is unknown, params.yaml has own edits and `force` is not set, or a
            run is at work in the project.
        ParamsError: the recipe's file holds something that is not allowed.
    """
    recipe = find_recipe(project, name)
    load_params(recipe)
    # Stages read params.yaml when they start: it must not change under a `kdtasks run`.
    with one_run_at_a_time(project) if (project / ".dvc").is_dir() else nullcontext():
        return _replace(project, recipe, force=force)


def _replace(project: Path, recipe: Path, *, force: bool) -> Path | None:
    params = ProjectPaths(project).params
    backup = None
    if params.is_file() and not _is_a_recipe(project, params):
        if not force:
            raise ProjectError(
                f"{params} has edits of your own; add --force to replace it "
                "(a copy is kept as params.yaml.bak)"
            )
        backup = params.with_name("params.yaml.bak")
        write_text(backup, params.read_text(encoding="utf-8"))
    write_text(params, recipe.read_text(encoding="utf-8"))
    return backup


def _is_a_recipe(project: Path, params: Path) -> bool:
    content = params.read_bytes()
    return any(path.read_bytes() == content for path in (project / "recipes").glob("*.yaml"))


def _first_comment(text: str) -> str:
    for line in text.splitlines():
        if line.startswith("#"):
            return line.lstrip("# ").strip()
    return ""
