"""The commands that begin a project, look at it, check it and keep it up to date."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from kdtasks.cli.options import JsonOption, TaskOption
from kdtasks.cli.output import (
    find_project,
    interruptible,
    json_output,
    print_json,
    print_result,
    print_table,
)
from kdtasks.cli.status import Status

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
    from kdtasks.orchestrate.create.project import ProjectInputs, begin

    given = ProjectInputs(images, masks, task, teacher, classes, unlabelled)
    sentences = []
    for sentence in begin(folder, given):  # images are told of before a teacher is waited for
        sentences.append(sentence)
        if not as_json:
            typer.echo(sentence)
    then = f"next: cd {folder} && kdtasks run; then open report/index.html"
    print_result({"folder": folder, "found": sentences}, then, as_json=as_json)


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


@app.command()
def verify(
    keep: Annotated[bool, Option("--keep", help="Keep the scratch clone.")] = False,
    against: Annotated[
        Path | None, Option(metavar="LOCK", help="Run nothing: compare with this dvc.lock.")
    ] = None,
    out: Annotated[Path | None, Option(help="JSON file for both lists of hashes.")] = None,
    cache: Annotated[
        bool, Option("--cache", help="Run nothing: hash DVC's cache, and mend what is damaged.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run everything again in a scratch clone without any cache and compare every hash."""
    from kdtasks.cli.cache import verify_cache
    from kdtasks.orchestrate.project.verify import compare_with, verify_project

    if cache:
        raise typer.Exit(verify_cache(find_project(), as_json=as_json))
    if against and keep:
        raise typer.BadParameter("--keep keeps the scratch clone, and --against makes none")
    again = interruptible("nothing is kept; the same command begins anew")
    with json_output(as_json) as emit, again:
        if against:
            is_same = compare_with(find_project(), against, out=out)
        else:
            is_same = verify_project(find_project(), keep=keep, out=out)
        emit({"is_same": is_same, "hashes": out})
    raise typer.Exit(Status.DONE if is_same else Status.FAILED)


@app.command()
def data(
    path: Annotated[
        Path | None, Argument(help="Folder of images, or table; else what params.yaml says.")
    ] = None,
    masks: Annotated[
        Path | None, Option(metavar="FOLDER", help="Of masks, in PATH (. beside images) or apart.")
    ] = None,
    task: TaskOption = None,
    html: Annotated[
        Path | None, Option(metavar="FILE", help="Write a page that shows the images.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at images before anything is prepared: layout, classes, copies, odd and bad files.

    What reads them is found out, with the lines for params.yaml. Status 1 where prepare would
    refuse them.
    """
    from kdtasks.cli.data import show_data

    raise typer.Exit(show_data(path, masks, task, html=html, as_json=as_json))


@app.command()
def links(as_json: JsonOption = False) -> None:
    """List in dvc.yaml the folders of images that are links, so that DVC looks into them."""
    from kdtasks.orchestrate.project.links import list_links
    from kdtasks.params import load_project_params

    project = find_project()
    linked = list_links(project, load_project_params(project).data)
    print_result(linked, "\n".join(linked or ["no linked folders"]), as_json=as_json)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check this machine and this project, and suggest a fix for what is wrong."""
    from kdtasks.orchestrate.project.doctor import examine, render

    checks = examine(Path.cwd())
    print_result([check._asdict() for check in checks], render(checks), as_json=as_json)
    has_failed = any(check.level == "fail" for check in checks)
    raise typer.Exit(Status.FAILED if has_failed else Status.DONE)
