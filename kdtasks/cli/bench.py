"""Measure what a bundle costs on this machine, one image at a time."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import typer

from kdtasks.cli.images import read_fitted, require_images
from kdtasks.cli.output import print_json, print_table
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.core.processor import read_processor
from kdtasks.edge.bundle_files import open_bundle
from kdtasks.edge.latency import Images, LatencySummary, summarise_latency, time_bundle
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.registry import load_predictor

WARMUP = 20
MOST_IMAGES = 256  # as many as are read; they are taken in turn
COLUMNS = ("p50", "p90", "p99", "mean")


def bench_bundle(
    bundle: Path, names: Sequence[str] = (), *, runs: int, threads: int, as_json: bool = False
) -> None:
    """Time predictions with early exits and without, and print the metrics.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        names: images, as for `find_images`; without any those of the self-test.
        runs: predictions that are timed, after a warm-up.
        threads: of the LiteRT interpreter.
        as_json: print one JSON object in place of the table.

    Raises:
        BundleError: the bundle cannot be used, or has no self-test and no image was given.
        DatasetError: an image cannot be read.
    """
    open_bundle(bundle)
    images = _images(load_predictor(bundle, threads=threads), names)
    times = time_bundle(bundle, images, threads=threads, runs=runs, warmup=WARMUP)
    latency, full = summarise_latency(times.milliseconds), summarise_latency(times.full)
    rate, cpu = float(1000 / times.milliseconds.mean()), read_processor().name
    left = [times.milliseconds[times.left_at == k] for k in range(times.exits)]
    exits = [(len(one) / runs, summarise_latency(one) if len(one) else None) for one in left]
    if as_json:
        content = {
            "bundle": str(bundle),
            "images": len(images),
            "runs": runs,
            "threads": threads,
            "cpu": cpu,
            "latency_ms": latency,
            "images_per_second": rate,
            "exits": [{"fraction": fraction, "latency_ms": found} for fraction, found in exits],
            "full_ms": full,
            "peak_memory_mb": times.peak_memory_mb,
        }
        print_json(content)
        return
    source = "images given" if names else "images of the self-test"
    typer.echo(f"{runs} predictions of {len(images)} {source}, threads: {threads}, {cpu}\n")
    rows: list[tuple[str, float, LatencySummary | None]]
    rows = [("all, early exits on", 1.0, latency)]
    rows += [(f"  left at exit {k + 1}", *one) for k, one in enumerate(exits)]
    rows += [("all to the last exit", 1.0, full)]
    headings = ("milliseconds", *COLUMNS, "fraction")
    print_table([_cells(*row) for row in rows], headings, right=headings[1:])
    typer.echo(
        f"\n{rate:,.0f} images/s, one at a time; {times.peak_memory_mb:.0f} MB resident at most"
    )
    if not names:
        typer.echo(
            "The self-test's images are chosen so that every exit has some: fractions and means of "
            "real\nimages need real ones, kdtasks bench BUNDLE photos/"
        )


def _images(model: Predictor, names: Sequence[str]) -> Images:
    if not names:
        if model.test_images is None:
            raise BundleError(
                "the bundle has no self-test whose images could be timed; give images: "
                "kdtasks bench BUNDLE photos/"
            )
        return model.test_images
    images = []
    for path in islice(require_images(names), MOST_IMAGES):
        try:
            images.append(read_fitted(path, model)[1])
        except DatasetError as error:
            raise DatasetError(f"{path}: {error}") from None
    return images


def _cells(title: str, fraction: float, latency: LatencySummary | None) -> list[str]:
    times = [f"{value:.3f}" for value in latency.values()] if latency else ["–"] * len(COLUMNS)
    return [title, *times, f"{fraction:.0%}"]
