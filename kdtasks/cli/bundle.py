"""The commands about what is shipped."""

from pathlib import Path
from typing import Annotated

import typer

from kdtasks.cli.store import PublicOption, StoreOption

# kdtasks is imported inside the functions, as everywhere on the command line.

NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the model; without it the project's own.")
]

BundleArgument = Annotated[
    Path, typer.Argument(help="Folder of a bundle such as bundles/int8, .kdz file or .tflite.")
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]

ProductionOption = Annotated[
    str | None,
    typer.Option(
        "--alias", metavar="ALIAS", help="The alias that devices pull; without it production."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (pack, bench, gate, drift):
        app.command()(command)
    app.command("inspect")(inspect_)


def pack(
    bundle: BundleArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file, or the folder; without it NAME-VARIANT.kdz."),
    ] = None,
    per_segment: Annotated[
        bool,
        typer.Option(
            "--per-segment", help="A folder with a .tflite a segment, for microcontrollers."
        ),
    ] = False,
) -> None:
    """Put a bundle into one .kdz file, with its origin and the test split's figures."""
    from kdtasks.orchestrate.project.pack import pack as pack_bundle
    from kdtasks.orchestrate.project.pack import pack_segments

    if per_segment:
        for path in pack_segments(bundle, out):
            typer.echo(f"{path}: {path.stat().st_size:,} bytes")
        return
    path, manifest = pack_bundle(bundle, out)
    known = ", ".join(
        [
            *(f"{split} figures" for split in sorted(manifest.metrics or {})),
            *(["its origin"] if manifest.provenance else []),
        ]
    )
    typer.echo(f"{path}: {path.stat().st_size:,} bytes, with {known or 'the model alone'}")


def bench(
    bundle: BundleArgument,
    images: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders and patterns; without any those of the self-test."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of LiteRT.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Predictions that are timed.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Time a bundle on this machine: latency by exit, images a second, memory."""

    from kdtasks.cli.bench import bench_bundle

    bench_bundle(bundle, images or (), runs=runs, threads=threads, as_json=as_json)


def inspect_(
    bundle: BundleArgument,
    arena: Annotated[
        bool,
        typer.Option(
            "--arena", help="Measure what a microcontroller needs, too; takes tflite-micro."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a bundle's manifest, operators, tensors, compute, weights, and what XNNPACK takes."""
    from kdtasks.cli.inspect import inspect_bundle

    inspect_bundle(bundle, as_json=as_json, with_arena=arena)


def gate(
    bundle: Annotated[
        Path | None,
        typer.Argument(help="Folder of a bundle; without it the variant that the report chose."),
    ] = None,
    store: StoreOption = None,
    name: NameOption = None,
    alias: ProductionOption = None,
    public_key: PublicOption = None,
    first: Annotated[
        bool,
        typer.Option(
            "--first",
            help="There is no model in production yet; judge by the absolute limits alone.",
        ),
    ] = False,
) -> None:
    """Judge a bundle against the one in production; status 0 to promote it, else 3."""
    from kdtasks.cli.gate import ProductionOptions, run_gate
    from kdtasks.orchestrate.project.project import find_project

    options = ProductionOptions(store, name, alias, public_key)
    raise typer.Exit(run_gate(find_project(), bundle, options, is_first=first))


def drift(
    telemetry: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files of summaries that devices wrote, or folders of them; without any, what "
            "agents have sent to the store."
        ),
    ] = None,
    hours: Annotated[
        float | None,
        typer.Option("--hours", min=0.0, help="Of the store, only the last so many."),
    ] = None,
    store: StoreOption = None,
    name: NameOption = None,
    alias: ProductionOption = None,
    public_key: PublicOption = None,
) -> None:
    """Compare devices' telemetry with the test split; status 3, and an event, if it drifted."""
    from kdtasks.cli.gate import ProductionOptions, run_drift
    from kdtasks.orchestrate.project.project import find_project

    options = ProductionOptions(store, name, alias, public_key)
    raise typer.Exit(run_drift(find_project(), telemetry or (), options, hours=hours))
