"""Measure what a bundle costs on this machine or a device, one image at a time."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from kdtasks.cli.images import read_fitted, require_images
from kdtasks.cli.output import print_json, print_table
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.core.latency import STATISTICS, statistic_name
from kdtasks.core.subset import evenly_spaced
from kdtasks.core.text import NOTHING, quantity
from kdtasks.edge.benchmark import Timing
from kdtasks.edge.bundle_files import open_bundle
from kdtasks.edge.conditions import describe_conditions
from kdtasks.edge.latency import Images
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.registry import load_predictor
from kdtasks.evaluate.devices.benchmark import benchmark_on

WARMUP = 20
MOST_IMAGES = 256  # as many as are read
HEADINGS = ("of an image", "milliseconds")


def bench_bundle(
    bundle: Path,
    names: Sequence[str] = (),
    *,
    rounds: int,
    threads: int,
    as_json: bool = False,
    device: str | None = None,
    install: bool = False,
) -> None:
    """Time predictions with early exits and without, and print the metrics.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        names: images, as for `find_images`; without any those of the self-test.
        rounds: how often every image is timed, after a warm-up.
        threads: of the LiteRT interpreter.
        as_json: print one JSON object in place of the table.
        device: `ssh://[user@]host[:port]`; None for this machine.
        install: give the device what it needs to run the bundle.

    Raises:
        DeviceError: the device is not reached, lacks something, or fails.
        BundleError: the bundle cannot be used, or has no self-test and no image was given.
        DatasetError: an image cannot be read.
    """
    open_bundle(bundle)
    model = load_predictor(bundle, threads=threads)
    paths = list(require_images(names)) if names else []
    images = _images(model, evenly_spaced(paths, MOST_IMAGES))  # folders are classes: some of each
    timing = Timing(threads, rounds, WARMUP)
    run = benchmark_on(device, [bundle], images, timing, install=install)
    (times,) = run.bundles
    latency, means, rates = times.latency_ms, times.exit_ms, times.exit_rate
    if as_json:
        content = {
            "bundle": str(bundle),
            "images": len(images),
            "rounds": rounds,
            "threads": threads,
            "cpu": run.cpu,
            "latency_ms": asdict(latency),
            "images_per_second": 1000 / latency.mean,
            "exit_ms": means,
            "exit_rate": rates,
            "peak_memory_mb": run.peak_memory_mb,
        }
        if device:
            content |= {"device": device, **run.machine()}
        print_json(content)
        return
    source = "images of the self-test"
    if names:
        source = f"of {len(paths):,} images given" if len(images) < len(paths) else "images given"
    typer.echo(
        f"{len(images)} {source}, each the median of {quantity(rounds, 'round')}, threads: "
        f"{threads}, {run.cpu}"
    )
    typer.echo(f"on {device}: {describe_conditions(run.machine())}\n" if device else "")
    rows = [[f"{statistic_name(name)} latency", f"{latency.of(name):.3f}"] for name in STATISTICS]
    rows += [
        [f"mean of {rate:.0%} that leave at exit {k}", NOTHING if mean is None else f"{mean:.3f}"]
        for k, (mean, rate) in enumerate(zip(means, rates, strict=True), start=1)
    ]
    print_table(rows, HEADINGS, right=HEADINGS[1:])
    typer.echo(
        f"\n{1000 / latency.mean:,.0f} images/s, one at a time; "
        f"{run.peak_memory_mb:.0f} MB resident at most"
    )
    if not names:
        typer.echo(
            "The self-test's images are chosen so that every exit has some: fractions, mean and "
            "percentiles\nof real images need real ones, kdtasks bench BUNDLE photos/"
        )


def _images(model: Predictor, paths: Sequence[Path]) -> Images:
    if not paths:
        if model.test_images is None:
            raise BundleError(
                "the bundle has no self-test whose images could be timed; give images: "
                "kdtasks bench BUNDLE photos/"
            )
        return model.test_images
    images = []
    for path in paths:
        try:
            images.append(read_fitted(path, model).pixels)
        except DatasetError as error:
            raise DatasetError(f"{path}: {error}") from None
    return images
