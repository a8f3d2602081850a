"""The commands about what is shipped."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from kdtasks.cli.images import find_pictures, read_fitted
from kdtasks.cli.store import PublicOption, StoreOption
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.core.reproducibility import read_processor
from kdtasks.edge.bundle_files import open_bundle
from kdtasks.edge.latency import Images, summarise_latency, time_bundle
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.registry import load_predictor

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

WARMUP = 20
MOST_PICTURES = 256  # as many as are read; they are taken in turn


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
    pictures: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders and patterns; without any those of the self-test."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of LiteRT.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Predictions that are timed.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Time a bundle on this machine: latency by exit, pictures a second, memory."""

    bench_bundle(bundle, pictures or (), runs=runs, threads=threads, as_json=as_json)


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


def bench_bundle(
    bundle: Path,
    names: Sequence[str] = (),
    *,
    runs: int,
    threads: int,
    as_json: bool = False,
) -> None:
    """Time predictions with early exits and without, and print the figures.

    Arguments:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        names: pictures, as for `find_pictures`; without any those of the self-test.
        runs: predictions that are timed, after a warm-up.
        threads: of the LiteRT interpreter.
        as_json: print one JSON object in place of the table.

    Raises:
        BundleError: the bundle cannot be used, or has no self-test and no picture was given.
        DatasetError: a picture cannot be read.
    """
    open_bundle(bundle)
    images = _pictures(load_predictor(bundle, threads=threads), names)
    times = time_bundle(bundle, images, threads=threads, runs=runs, warmup=WARMUP)
    milliseconds = times.milliseconds
    found: dict[str, Any] = {
        "bundle": str(bundle),
        "pictures": len(images),
        "runs": runs,
        "threads": threads,
        "cpu": read_processor().name,
        "latency_ms": summarise_latency(milliseconds),
        "pictures_per_second": float(1000 / milliseconds.mean()),
        "exits": [_exit(milliseconds[times.left_at == k], runs) for k in range(times.exits)],
        "full_ms": summarise_latency(times.full),
        "peak_memory_mb": times.peak_memory_mb,
    }
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        source = "pictures given" if names else "pictures of the self-test"
        _print(found, f"{len(images)} {source}")
        if not names:
            print(
                "The self-test's pictures are chosen so that every exit has some: shares and means "
                "of real\npictures need real ones, kdtasks bench BUNDLE photos/"
            )


def _pictures(model: Predictor, names: Sequence[str]) -> Images:
    if not names:
        if model.test_images is None:
            raise BundleError(
                "the bundle has no self-test whose pictures could be timed; give pictures: "
                "kdtasks bench BUNDLE photos/"
            )
        return model.test_images
    images = []
    for picture, problem in find_pictures(names):
        if problem:
            raise DatasetError(f"{picture}: {problem}")
        try:
            images.append(read_fitted(Path(picture), model)[1])
        except DatasetError as error:
            raise DatasetError(f"{picture}: {error}") from None
        if len(images) == MOST_PICTURES:
            break
    return images


def _exit(milliseconds: npt.NDArray[np.float64], runs: int) -> dict[str, Any]:
    """Figures of the predictions that left at one exit; nulls where none did."""
    figures = summarise_latency(milliseconds) if len(milliseconds) else None
    return {"share": len(milliseconds) / runs, "latency_ms": figures}


def _print(found: dict[str, Any], pictures: str) -> None:
    print(
        f"{found['runs']} predictions of {pictures}, threads: {found['threads']}, {found['cpu']}\n"
    )
    rows = [("all, early exits on", found["latency_ms"], 1.0)]
    rows += [
        (f"  left at exit {k + 1}", one["latency_ms"], one["share"])
        for k, one in enumerate(found["exits"])
    ]
    rows.append(("all to the last exit", found["full_ms"], 1.0))
    columns = ("p50", "p90", "p99", "mean")
    print(f"{'milliseconds':22}{''.join(f'{name:>9}' for name in columns)}{'share':>8}")
    for title, figures, share in rows:
        cells = [f"{figures[name]:9.3f}" if figures else f"{'–':>9}" for name in columns]
        print(f"{title:22}{''.join(cells)}{share:8.0%}")
    print(
        f"\n{found['pictures_per_second']:,.0f} pictures a second, one at a time; "
        f"{found['peak_memory_mb']:.0f} MB resident at most"
    )
