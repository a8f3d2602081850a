"""`kdtasks recipe`: list, show, compare and use the recipes of published experiments."""

from typing import Annotated

import typer
from typer import Option

from kdtasks.cli.options import JsonOption, RecipeArgument
from kdtasks.cli.output import find_project, print_json, print_result, print_table

app = typer.Typer(help="What differs from the defaults, one file a published experiment.")


@app.command("list")
def recipe_list(as_json: JsonOption = False) -> None:
    """List the recipes."""
    from kdtasks.orchestrate.project.recipes import list_recipes

    found = list_recipes(find_project())
    print_json(found) if as_json else print_table(found.items())


@app.command("show")
def recipe_show(name: RecipeArgument, as_json: JsonOption = False) -> None:
    """Print what a recipe changes of the defaults."""
    from kdtasks.orchestrate.project.recipes import find_recipe

    text = find_recipe(find_project(), name).read_text(encoding="utf-8")
    if as_json:
        from ruamel.yaml import YAML

        print_json(YAML(typ="safe", pure=True).load(text))
    else:
        typer.echo(text, nl=False)


@app.command("diff")
def recipe_diff(name: RecipeArgument, as_json: JsonOption = False) -> None:
    """Print the keys in which params.yaml differs from a recipe: mine → the recipe's."""
    from kdtasks.orchestrate.project.recipes import compare_with_recipe

    found = compare_with_recipe(find_project(), name)
    if as_json:
        print_json([difference._asdict() for difference in found])
    else:
        for difference in found:
            typer.echo(str(difference))


@app.command("use")
def recipe_use(
    name: RecipeArgument,
    force: Annotated[bool, Option("--force", help="Overwrite local edits.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a recipe to params.yaml; own edits there are replaced only with --force."""
    from kdtasks.orchestrate.project.recipes import use_recipe

    backup = use_recipe(find_project(), name, force=force)
    kept = [f"your params.yaml is kept as {backup}"] if backup else []
    lines = [*kept, f"params.yaml is now recipe {name}; `kdtasks run` runs it"]
    print_result({"recipe": name, "backup": backup}, "\n".join(lines), as_json=as_json)
