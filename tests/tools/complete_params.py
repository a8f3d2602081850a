"""Complete params of a recipe, as `kdtasks recipe use` writes them."""

from pathlib import Path

from kdtasks.params import load_params
from kdtasks.params.write import render_params

RECIPES = Path(__file__).parents[2] / "recipes"


def complete_params(recipe: str = "mnist-5k") -> str:
    """The text of `params.yaml`."""
    return render_params(load_params(RECIPES / f"{recipe}.yaml"))


def write_params(folder: Path, recipe: str = "mnist-5k") -> None:
    """Write `params.yaml` into a folder."""
    (folder / "params.yaml").write_text(complete_params(recipe), encoding="utf-8")
