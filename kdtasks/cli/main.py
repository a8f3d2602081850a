"""The `kdtasks` command line: options, printing and exit codes; the work is done elsewhere."""

import atexit
import gc
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from kdtasks import __version__
from kdtasks.cli import bundle, completion, project, recipe, serve, store
from kdtasks.cli.group import LazyGroup, lazy_group
from kdtasks.cli.options import (
    IMAGES_HELP,
    BundleArgument,
    DryRunOption,
    JsonOption,
    OutOption,
    SettingsOption,
    StageOption,
    StagesArgument,
    ThreadsOption,
    TuneOption,
    WorkersOption,
)
from kdtasks.cli.output import (
    find_project,
    json_alone,
    print_json,
    print_result,
)
from kdtasks.cli.status import Status
from kdtasks.core.errors import KdTasksError, shortened
from kdtasks.core.latency import Statistic

# The commands are imported inside the functions below: most need the pipeline extra, and
# `kdtasks --help` must work on a device that has LiteRT and numpy alone.

DEBUG = "--debug"
NO_TENSORFLOW = (3, 14)  # as pyproject.toml has it

app = typer.Typer()  # one command is built, the one that is asked for: see `LazyGroup`
app.add_typer(recipe.app, name="recipe", no_args_is_help=True)
root = typer.Typer(
    name="kdtasks",
    cls=LazyGroup,
    help="Distil a large Keras teacher into a small, fast, proven model for edge devices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; an error is one line and exit status 1, unless `--debug` is given."""
    # what imports make stays: looking for garbage in it takes time, at the exit seconds
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    if os.environ.get("_KDTASKS_COMPLETE") == "complete_bash":
        completion.set_key_aside()
    is_debugging = DEBUG in sys.argv  # wherever it stands
    sys.argv[1:] = [word for word in sys.argv[1:] if word != DEBUG]
    try:
        lazy_group(app, root)(prog_name="kdtasks")  # ends in SystemExit
    except Exception as error:
        if is_debugging:
            raise
        typer.echo(f"error: {_in_one_line(error)}", err=True)
        raise SystemExit(Status.FAILED) from None


def _in_one_line(error: Exception) -> str:
    if isinstance(error, KdTasksError):
        return str(error)
    module = (error.name if isinstance(error, ModuleNotFoundError) else None) or "kdtasks"
    if module.partition(".")[0] not in ("kdtasks", "flows"):
        return _what_is_missing(module)
    reason = shortened(f"{type(error).__name__}: {error}")
    return f"{reason}; this is a bug: the same command with {DEBUG} shows where"


def _what_is_missing(module: str) -> str:
    if module == "tensorflow" and sys.version_info >= NO_TENSORFLOW:
        newest, here = (".".join(map(str, it[:2])) for it in (NO_TENSORFLOW, sys.version_info))
        return (
            f"this command needs TensorFlow, which there is for Pythons before {newest}, and this "
            f"is {here}; train with an earlier one, devices may keep theirs"
        )
    return f"module {module} is missing; this command needs pip install 'kdtasks[pipeline]'"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kdtasks {__version__}")
        raise typer.Exit()


@root.callback()
def _options(
    version: Annotated[
        bool, Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, Option(DEBUG, help="Show the traceback of an error.")] = False,
) -> None:
    pass


@app.command()
def run(
    stages: StagesArgument = None,
    workers: WorkersOption = None,
    force: Annotated[bool, Option("--force", help="Run unchanged stages as well.")] = False,
    pull: Annotated[bool, Option("--pull", help="Pull missing outputs from the remote.")] = False,
    push: Annotated[bool, Option("--push", help="Push outputs as soon as a stage ends.")] = False,
    dry_run: DryRunOption = False,
    engine: Annotated[Literal["split", "cli"], Option(help="cli: no DVC internals.")] = "split",
    prefect: Annotated[bool | None, Option(help="Default: if a server is configured.")] = None,
    profile: Annotated[bool, Option("--profile", help="Show where the time went.")] = False,
    profile_out: Annotated[
        Path | None, Option(help="File of the trace; report/profile.json by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run what has changed, side by side as far as the cores reach."""
    from kdtasks.cli.run import run_pipeline, run_result
    from kdtasks.orchestrate.runner.execute import RunOptions, preview

    project = find_project()
    options = RunOptions(tuple(stages or ()), workers, force, pull, engine, push)
    if dry_run and as_json:
        print_json(preview(project, options))
        return
    with json_alone(as_json) as tell:
        status = run_pipeline(project, options, dry_run=dry_run, prefect=prefect)
        if (profile or profile_out) and not dry_run:
            from kdtasks.cli.profile import show_profile

            show_profile(project, profile_out)
        tell(run_result(project))
    raise typer.Exit(status)


@app.command()
def sweep(
    settings: SettingsOption,
    seeds: Annotated[int | None, Option(help="5 for the first 5 that did not tune.")] = None,
    workers: WorkersOption = None,
    stages: StageOption = None,
    cluster: Annotated[
        str | None, Option(metavar="ADDRESS", help="Dask's scheduler, tcp://host:8786, or local:3.")
    ] = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run every combination of some params, each a DVC experiment, and compare them over seeds."""
    from kdtasks.cli.sweep import run_sweep
    from kdtasks.orchestrate.sweep.plan import SweepOptions

    options = SweepOptions(tuple(settings), seeds, workers, tuple(stages or ()), cluster)
    raise typer.Exit(run_sweep(find_project(), options, out=out, dry_run=dry_run, as_json=as_json))


@app.command()
def search(
    context: typer.Context,
    max_size_kb: Annotated[float | None, Option(help="Size of the file.")] = None,
    max_gzip_kb: Annotated[float | None, Option(help="Size of the gzipped file.")] = None,
    max_latency_ms: Annotated[float | None, Option(help="Of one image, on this machine.")] = None,
    latency_statistic: Annotated[
        Statistic | None, Option(help="Which latency: the mean if nothing is said.")
    ] = None,
    max_macs: Annotated[float | None, Option(help="As a fraction of the student's.")] = None,
    max_accuracy_drop: Annotated[float | None, Option(help="As a fraction: 0.01.")] = None,
    minutes: Annotated[float | None, Option(help="Time for the trials.")] = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Try compressed variants from the cheapest up until one is within the limits.

    The limits are those of `search` in params.yaml; options go before them.
    """
    from kdtasks.cli.search import run_search
    from kdtasks.params.search import SearchParams

    limits = {name: context.params[name] for name in SearchParams.model_fields}
    given = {name: value for name, value in limits.items() if value is not None}
    raise typer.Exit(run_search(find_project(), given, out=out, dry_run=dry_run, as_json=as_json))


@app.command()
def tune(
    settings: TuneOption = None,
    trials: Annotated[int, Option(min=1, help="Of either student, earlier ones too.")] = 20,
    minutes: Annotated[float | None, Option(help="After them no more trials begin.")] = None,
    seed: Annotated[int | None, Option(min=0, help="Of all trials, and of no verdict.")] = None,
    apply: Annotated[
        bool, Option("--apply", help="Write what was found to params.yaml; run no trial.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Choose settings of the student alone and of the distilled one, with as many trials each.

    Trials are judged on the validation split; the test split is not touched.
    """
    from kdtasks.cli.tune import TuneOptions, run_apply, run_tune

    if apply:
        raise typer.Exit(run_apply(find_project(), as_json=as_json))
    options = TuneOptions(tuple(settings or ()), trials, minutes, seed)
    raise typer.Exit(run_tune(find_project(), options, as_json=as_json))


@app.command()
def predict(
    bundle: BundleArgument,
    images: Annotated[list[str], Argument(help=IMAGES_HELP)],
    thresholds: Annotated[
        str | None, Option(metavar="T1,T2,…", help="One for each exit but the last.")
    ] = None,
    out: Annotated[Path | None, Option(help="File of the mask (.png, .npy), or a folder.")] = None,
    overlay: Annotated[bool, Option("--overlay", help="Draw the mask over the image.")] = False,
    threads: ThreadsOption = 1,
    max_pixels: Annotated[int, Option(min=1, help="Larger images are refused.")] = 400_000_000,
    as_json: JsonOption = False,
) -> None:
    """Classify images with a bundle, or label their pixels, as a device does."""
    from kdtasks.cli.predict import parse_thresholds, run_predict

    limits = parse_thresholds(thresholds)
    status = run_predict(
        bundle,
        images,
        limits,
        out=out,
        overlay=overlay,
        threads=threads,
        as_json=as_json,
        max_pixels=max_pixels,
    )
    raise typer.Exit(status)


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
    with json_alone(as_json) as tell:
        if against:
            is_same = compare_with(find_project(), against, out=out)
        else:
            is_same = verify_project(find_project(), keep=keep, out=out)
        tell({"is_same": is_same, "hashes": out})
    raise typer.Exit(Status.DONE if is_same else Status.FAILED)


@app.command()
def data(
    path: Annotated[
        Path | None, Argument(help="Folder of images, or table; else what params.yaml says.")
    ] = None,
    masks: Annotated[
        str | None, Option(metavar="FOLDER", help="Of masks, below PATH; . if beside the images.")
    ] = None,
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

    raise typer.Exit(show_data(path, masks, html=html, as_json=as_json))


@app.command()
def links(as_json: JsonOption = False) -> None:
    """List in dvc.yaml the folders of images that are links, so that DVC looks into them."""
    from kdtasks.orchestrate.project.links import list_links
    from kdtasks.params import load_project_params

    project = find_project()
    found = list_links(project, load_project_params(project).data)
    print_result(found, "\n".join(found or ["no linked folders"]), as_json=as_json)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check this machine and this project, and suggest a fix for what is wrong."""
    from kdtasks.orchestrate.project.doctor import examine, render

    checks = examine(Path.cwd())
    print_result([check._asdict() for check in checks], render(checks), as_json=as_json)
    has_failed = any(check.level == "fail" for check in checks)
    raise typer.Exit(Status.FAILED if has_failed else Status.DONE)


for commands in (project.app, store.app, bundle.app, serve.app):
    app.add_typer(commands)


if __name__ == "__main__":
    main()
