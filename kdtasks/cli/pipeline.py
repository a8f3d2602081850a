"""The commands that train: run, sweep, search, tune."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

from kdtasks.cli.options import (
    ClusterOption,
    DryRunOption,
    JsonOption,
    OutOption,
    SettingsOption,
    StageOption,
    StagesArgument,
    TuneOption,
    WorkersOption,
)
from kdtasks.cli.output import find_project, json_output, print_json
from kdtasks.core.latency import Statistic

app = typer.Typer()


@app.command()
def run(
    stages: StagesArgument = None,
    workers: WorkersOption = None,
    force: Annotated[bool, Option("--force", help="Run unchanged stages as well.")] = False,
    pull: Annotated[bool, Option("--pull", help="Pull missing outputs from the remote.")] = False,
    push: Annotated[bool, Option("--push", help="Push outputs as soon as a stage ends.")] = False,
    dry_run: DryRunOption = False,
    cluster: ClusterOption = None,
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
    with json_output(as_json) as emit:
        status = run_pipeline(project, options, dry_run=dry_run, prefect=prefect, cluster=cluster)
        if (profile or profile_out) and not dry_run:
            from kdtasks.cli.profile import show_profile

            show_profile(project, profile_out)
        emit(run_result(project))
    raise typer.Exit(status)


@app.command()
def sweep(
    settings: SettingsOption,
    seeds: Annotated[int | None, Option(help="5 for the first 5 that did not tune.")] = None,
    workers: WorkersOption = None,
    stages: StageOption = None,
    cluster: ClusterOption = None,
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
    space: Annotated[
        Literal["compress", "student"] | None,
        Option(help="Variants of the student, or students of other sizes."),
    ] = None,
    max_size_kb: Annotated[float | None, Option(help="Size of the file.")] = None,
    max_gzip_kb: Annotated[float | None, Option(help="Size of the gzipped file.")] = None,
    max_arena_kb: Annotated[float | None, Option(help="Of students: RAM by TFLM.")] = None,
    max_latency_ms: Annotated[float | None, Option(help="Of one image.")] = None,
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
    """Try compressed variants from the cheapest up until one is within the limits; or students.

    The limits are those of `search` in params.yaml; options go before them.
    """
    from kdtasks.cli.search import run_search
    from kdtasks.params.search import SearchParams

    limits = {name: context.params.get(name) for name in SearchParams.model_fields}
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
