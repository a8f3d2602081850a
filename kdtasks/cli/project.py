"""The commands that begin a project and keep it up to date."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from kdtasks.cli.options import JsonOption, TaskOption
from kdtasks.cli.output import find_project, print_json, print_result, print_table

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[Path, Argument(help="A new folder, or an empty one.")],
    images: Annotated[Path, Option(help="Folder of images, in any layout; or a table of them.")],
    teacher: Annotated[
        Path | None, Option(help="A Keras, SavedModel, LiteRT or ONNX file; else one is trained.")
    ] = None,
    masks: Annotated[Path | None, Option(help="Folder of their masks, for segmentation.")] = None,
    task: TaskOption = None,
    classes: Annotated[
        str | None,
        Option(
            metavar="A,B,…|FILE", help="The teacher's outputs in order, if more than the classes."
        ),
    ] = None,
    unlabelled: Annotated[Path | None, Option(help="Folder of images without labels.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a project with images and a teacher: look at both, choose a student, write it all."""
    from kdtasks.orchestrate.create.project import Given, begin

    given = Given(images, masks, task, teacher, classes, unlabelled)
    found = begin(folder, given)
    then = f"next: cd {folder} && kdtasks run; then open report/index.html"
    result = {"folder": folder, "found": found}
    print_result(result, "\n".join([*found, then]), as_json=as_json)


@app.command()
def upgrade(as_json: JsonOption = False) -> None:
    """Bring this project's files to the installed kdtasks, and say what will run again and why."""
    from kdtasks.orchestrate.project.template import upgrade

    done = upgrade(find_project())
    if as_json:
        print_json(done._asdict())
        return
    typer.echo(f"{done.before} → {done.after}")
    for verb, names in (("written", done.written), ("new in params.yaml", done.added)):
        for name in names:
            typer.echo(f"{verb}: {name}")
    for name in done.kept:
        typer.echo(f"{name} has edits of your own and stays; the new one is {name}.new")
    if not done.reruns:
        typer.echo("no stage that has run will run again: none of its code has changed")
        return
    typer.echo("will run again, since code that its results depend on has changed:")
    rows = []
    for stage, names in done.reruns.items():
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        rows.append((stage, f"{', '.join(names[:2])}{more}" if names else "no list of it is here"))
    print_table(rows)
    if done.following:
        typer.echo(f"and, if these come out different: {', '.join(done.following)}")
