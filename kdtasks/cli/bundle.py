"""The commands about what is shipped."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, BadParameter, Option

from kdtasks.cli.options import (
    IMAGES_HELP,
    BundleArgument,
    JsonOption,
    NameOption,
    OptionalAliasOption,
    OptionalBundleArgument,
    PublicOption,
    StoreOption,
    TargetOption,
    ThreadsOption,
)
from kdtasks.cli.output import find_project, print_result

# What a command does is imported inside it, here and in its neighbours: most needs the pipeline
# extra, and `kdtasks --help` must work on a device that has LiteRT and numpy alone.

app = typer.Typer()
export = typer.Typer(help="Write a bundle as source code, for devices without Python.")
app.add_typer(export, name="export", no_args_is_help=True)


@export.command("c")
def export_c(
    bundle: BundleArgument,
    to: Annotated[Path, Option(metavar="FOLDER", help="Replaced whole.")],
    as_json: JsonOption = False,
) -> None:
    """Write C arrays, a header and the loop over the exits, for TensorFlow Lite Micro."""
    from kdtasks.compress.tflite.c_export import EXAMPLE, export_c

    sizes = {str(path): path.stat().st_size for path in export_c(bundle, to)}
    lines = [f"{path}: {size:,} bytes" for path, size in sizes.items()]
    if str(to / EXAMPLE.name) not in sizes:
        lines.append(
            f"no {EXAMPLE.name} and no arenas in exits.h: they need the package tflite-micro, "
            "which is missing; pip install tflite-micro (Linux on x86-64)"
        )
    print_result(sizes, "\n".join(lines), as_json=as_json)


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
    from kdtasks.cli.predict import open_predictor, run_predict

    predictor = open_predictor(bundle, thresholds, threads)
    status = run_predict(
        predictor, images, out=out, overlay=overlay, as_json=as_json, max_pixels=max_pixels
    )
    raise typer.Exit(status)


@app.command()
def pack(
    bundle: BundleArgument,
    out: Annotated[Path | None, Option(help="File; else NAME-VARIANT.kdz.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Put a bundle into one .kdz file, with its origin and the test split's metrics."""
    from kdtasks.orchestrate.project.pack import pack

    path, manifest = pack(bundle, out)
    known = [f"{split} metrics" for split in sorted(manifest.metrics or {})]
    known += ["its origin"] if manifest.provenance else []
    contents = ", ".join(known) or "the model alone"
    size = path.stat().st_size
    text = f"{path}: {size:,} bytes, with {contents}"
    print_result({str(path): size}, text, as_json=as_json)


@app.command()
def bench(
    bundle: BundleArgument,
    images: Annotated[list[str] | None, Argument(help=IMAGES_HELP)] = None,
    threads: ThreadsOption = 1,
    rounds: Annotated[int, Option(min=1, help="Times that every image is timed.")] = 10,
    device: Annotated[
        str | None, Option("--on", help="A device, ssh://[user@]host[:port], in place of here.")
    ] = None,
    install: Annotated[
        bool, Option("--install", help="Give the device numpy and LiteRT, if it lacks them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Time a bundle, on images or its self-test: five latencies, images/s, memory."""
    from kdtasks.cli.bench import bench_bundle
    from kdtasks.evaluate.devices.ssh import check_address

    if device is not None:
        try:
            check_address(device)
        except ValueError as error:
            raise BadParameter(str(error), param_hint="--on") from None
    elif install:
        raise BadParameter("needs --on, the device to install on", param_hint="--install")
    bench_bundle(
        bundle,
        images or (),
        rounds=rounds,
        threads=threads,
        as_json=as_json,
        device=device,
        install=install,
    )


@app.command()
def inspect(
    bundle: BundleArgument,
    arena: Annotated[bool, Option("--arena", help="Measure RAM by tflite-micro.")] = False,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a bundle's manifest, operators, tensors, compute, weights, and what XNNPACK takes."""
    from kdtasks.cli.inspect import inspect_bundle

    inspect_bundle(bundle, as_json=as_json, with_arena=arena, target=target)


@app.command()
def gate(
    bundle: OptionalBundleArgument = None,
    store: StoreOption = None,
    name: NameOption = None,
    alias: OptionalAliasOption = None,
    public_key: PublicOption = None,
    first: Annotated[
        bool, Option("--first", help="Nothing is in production yet: absolute limits alone count.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a bundle, or the report's choice, against production; status 0 to promote, else 3."""
    from kdtasks.cli.gate import ProductionOptions, run_gate

    options = ProductionOptions(store, name, alias, public_key)
    raise typer.Exit(run_gate(find_project(), bundle, options, is_first=first, as_json=as_json))


@app.command()
def drift(
    telemetry: Annotated[
        list[Path] | None, Argument(help="Files or folders; none for the telemetry in the store.")
    ] = None,
    hours: Annotated[
        float | None, Option(min=0.0, help="Of the store, only the last so many.")
    ] = None,
    store: StoreOption = None,
    name: NameOption = None,
    alias: OptionalAliasOption = None,
    public_key: PublicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare devices' telemetry with the test split; status 3, and an event, if it drifted."""
    from kdtasks.cli.gate import ProductionOptions, run_drift

    options = ProductionOptions(store, name, alias, public_key)
    raise typer.Exit(
        run_drift(find_project(), telemetry or (), options, hours=hours, as_json=as_json)
    )
