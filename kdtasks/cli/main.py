"""The `kdtasks` command line: options, printing and exit codes; the work is done elsewhere."""

import gc
from pathlib import Path
from typing import Annotated, Literal

import typer

from kdtasks import __version__
from kdtasks.cli.bundle import register as register_shipping_commands
from kdtasks.cli.serve import register as register_serving_commands
from kdtasks.cli.store import register as register_store_commands
from kdtasks.core.errors import KdTasksError

# The commands are imported inside the functions below: most need the pipeline extra, and
# `kdtasks --help` must work on a device that has LiteRT and numpy alone.

app = typer.Typer(
    name="kdtasks",
    help="Distil a large Keras teacher into a small, fast, proven model for edge devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

recipe_app = typer.Typer(help="What differs from the defaults, one file a published experiment.")
Force = Annotated[bool, typer.Option("--force", help="Do it all the same.")]


app.add_typer(recipe_app, name="recipe", no_args_is_help=True)


def main() -> None:
    """Run the command line; an error that the user can mend is one line and exit status 1."""
    gc.set_threshold(100_000)  # what imports make stays: looking for garbage in it takes time
    try:
        app()
    except KdTasksError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
    except ModuleNotFoundError as error:
        if (error.name or "kdtasks").partition(".")[0] in ("kdtasks", "flows"):
            raise
        typer.echo(
            f"error: module {error.name} is missing; "
            "this command needs pip install 'kdtasks[pipeline]'",
            err=True,
        )
        raise SystemExit(1) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kdtasks {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@recipe_app.command("list")
def recipe_list() -> None:
    """List the recipes."""
    from kdtasks.orchestrate.project.project import find_project
    from kdtasks.orchestrate.project.recipes import list_recipes

    recipes = list_recipes(find_project())
    width = max((len(name) for name in recipes), default=0)
    for name, comment in recipes.items():
        typer.echo(f"{name:<{width}}  {comment}".rstrip())


@recipe_app.command("show")
def recipe_show(name: str) -> None:
    """Print what a recipe changes of the defaults."""
    from kdtasks.orchestrate.project.project import find_project
    from kdtasks.orchestrate.project.recipes import find_recipe

    typer.echo(find_recipe(find_project(), name).read_text(encoding="utf-8"), nl=False)


@recipe_app.command("diff")
def recipe_diff(name: str) -> None:
    """Print the keys in which params.yaml differs from a recipe: mine → the recipe's."""
    from kdtasks.orchestrate.project.project import find_project
    from kdtasks.orchestrate.project.recipes import compare_with_recipe

    for difference in compare_with_recipe(find_project(), name):
        typer.echo(str(difference))


@recipe_app.command("use")
def recipe_use(name: str, force: Force = False) -> None:
    """Write a recipe to params.yaml; own edits there are replaced only with --force."""
    from kdtasks.orchestrate.project.project import find_project
    from kdtasks.orchestrate.project.recipes import use_recipe

    backup = use_recipe(find_project(), name, force=force)
    if backup:
        typer.echo(f"your params.yaml is kept as {backup}")
    typer.echo(f"params.yaml is now recipe {name}; `kdtasks run` runs it")


@app.command()
def run(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages, with what they depend on; none for all.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Stages side by side at most; as many as there are cores by default."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run unchanged stages as well.")] = False,
    pull: Annotated[
        bool, typer.Option("--pull", help="Bring what is missing from the DVC remote.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    engine: Annotated[
        Literal["split", "cli"],
        typer.Option(help="cli calls DVC's command line for every stage: slower, no internals."),
    ] = "split",
    prefect: Annotated[
        bool | None,
        typer.Option(
            "--prefect/--no-prefect",
            help="Tell Prefect of the run; by default where a server of it is configured.",
        ),
    ] = None,
) -> None:
    """Run what has changed, side by side as far as the cores reach."""
    from kdtasks.cli.run import run_pipeline
    from kdtasks.orchestrate.project.project import find_project
    from kdtasks.orchestrate.runner.execute import RunOptions

    options = RunOptions(
        stages=tuple(stages or ()), workers=workers, force=force, pull=pull, engine=engine
    )
    raise typer.Exit(run_pipeline(find_project(), options, dry_run=dry_run, prefect=prefect))


@app.command()
def sweep(
    settings: Annotated[
        list[str],
        typer.Option(
            "-S", "--set-param", metavar="KEY=V1,V2,…", help="A key of params.yaml and its values."
        ),
    ],
    seeds: Annotated[
        int | None,
        typer.Option(help="Seeds of every point: 5 for 0 to 4; those of params.yaml by default."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Points side by side at most; as many as the cores hold by default."),
    ] = None,
    stages: Annotated[
        list[str] | None,
        typer.Option("--stage", help="Run this stage as well, besides compare; report for all."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the page; below report/ by default.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
) -> None:
    """Run every combination of some params, each a DVC experiment, and compare them over seeds."""
    from kdtasks.cli.sweep import run_sweep
    from kdtasks.orchestrate.project.project import find_project
    from kdtasks.orchestrate.sweep.plan import SweepOptions

    options = SweepOptions(tuple(settings), seeds, workers, tuple(stages or ()))
    raise typer.Exit(run_sweep(find_project(), options, out=out, dry_run=dry_run))


@app.command()
def search(
    max_size_kb: Annotated[float | None, typer.Option(help="Size of the file.")] = None,
    max_gzip_kb: Annotated[float | None, typer.Option(help="Size of the gzipped file.")] = None,
    max_latency_ms: Annotated[
        float | None, typer.Option(help="Median of one image on this machine.")
    ] = None,
    max_macs: Annotated[
        float | None, typer.Option(help="Compute, as a share of the student's.")
    ] = None,
    max_accuracy_drop: Annotated[
        float | None, typer.Option(help="Validation accuracy to lose, as a share: 0.01.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Time for the trials.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the page; report/search by default.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
) -> None:
    """Try compressed variants from the cheapest up until one is within the limits.

    The limits are those of `search` in params.yaml; options go before them.
    """
    from kdtasks.cli.search import run_search
    from kdtasks.orchestrate.project.project import find_project

    limits = {
        "max_size_kb": max_size_kb,
        "max_gzip_kb": max_gzip_kb,
        "max_latency_ms": max_latency_ms,
        "max_macs": max_macs,
        "max_accuracy_drop": max_accuracy_drop,
        "minutes": minutes,
    }
    given = {name: value for name, value in limits.items() if value is not None}
    raise typer.Exit(run_search(find_project(), given, out=out, dry_run=dry_run))


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, .kdz file or .tflite.")],
    images: Annotated[
        list[str], typer.Argument(help="Files, folders and patterns such as 'photos/*.jpg'.")
    ],
    thresholds: Annotated[
        str | None,
        typer.Option(
            metavar="T1,T2,…", help="In place of the bundle's: one for each exit but the last."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Segmentation: where the mask goes (.png, .npy), or a folder of masks."
        ),
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Segmentation: draw the mask over the image.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of LiteRT.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON in place of a table.")
    ] = False,
) -> None:
    """Classify images with a bundle, or label their pixels, as a device does."""
    from kdtasks.cli.predict import PredictOptions, parse_thresholds, run_predict

    limits = parse_thresholds(thresholds)
    options = PredictOptions(limits, out, overlay, threads, as_json)
    raise typer.Exit(run_predict(bundle, images, options))


@app.command()
def verify(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the scratch clone.")] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="LOCK",
            help="Run nothing: compare with this dvc.lock, or with that of a project's folder.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write both lists of hashes to this JSON file.")
    ] = None,
) -> None:
    """Run everything again in a scratch clone without any cache and compare every hash."""
    from kdtasks.orchestrate.project.project import find_project
    from kdtasks.orchestrate.project.verify import compare_with, verify_project

    if against and keep:
        raise typer.BadParameter("--keep keeps the scratch clone, and --against makes none")
    project = find_project()
    is_same = (
        compare_with(project, against, out=out)
        if against
        else verify_project(project, keep=keep, out=out)
    )
    raise typer.Exit(0 if is_same else 1)


@app.command()
def doctor() -> None:
    """Check this machine and this project, and say how to mend what is wrong."""
    from kdtasks.orchestrate.project.doctor import examine, render

    checks = examine(Path.cwd())
    typer.echo(render(checks))
    raise typer.Exit(1 if any(check.level == "fail" for check in checks) else 0)


register_store_commands(app)


register_shipping_commands(app)


register_serving_commands(app)


if __name__ == "__main__":
    main()
