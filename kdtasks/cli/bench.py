"""Measure what a bundle costs on this machine, one image at a time."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtasks.cli.images import find_images, read_fitted
from kdtasks.core.errors import BundleError, DatasetError
from kdtasks.core.processor import read_processor
from kdtasks.edge.bundle_files import open_bundle
from kdtasks.edge.latency import Images, summarise_latency, time_bundle
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.registry import load_predictor

WARMUP = 20
MAX_IMAGES = 256  # as many as are read; they are taken in turn


def bench_bundle(
    bundle: Path,
    names: Sequence[str] = (),
    *,
    runs: int,
    threads: int,
    as_json: bool = False,
) -> None:
    """Time predictions with early exits and without, and print the figures.

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
    milliseconds = times.milliseconds
    found: dict[str, Any] = {
        "bundle": str(bundle),
        "images": len(images),
        "runs": runs,
        "threads": threads,
        "cpu": read_processor().name,
        "latency_ms": summarise_latency(milliseconds),
        "images_per_second": float(1000 / milliseconds.mean()),
        "exits": [_exit(milliseconds[times.left_at == k], runs) for k in range(times.exits)],
        "full_ms": summarise_latency(times.full),
        "peak_memory_mb": times.peak_memory_mb,
    }
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        source = "images given" if names else "images of the self-test"
        _print(found, f"{len(images)} {source}")
        if not names:
            print(
                "The self-test's images are chosen so that every exit has some: shares and means "
                "of real\nimages need real ones, kdtasks bench BUNDLE photos/"
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
    for image, problem in find_images(names):
        if problem:
            raise DatasetError(f"{image}: {problem}")
        try:
            images.append(read_fitted(Path(image), model)[1])
        except DatasetError as error:
            raise DatasetError(f"{image}: {error}") from None
        if len(images) == MAX_IMAGES:
            break
    return images


def _exit(milliseconds: npt.NDArray[np.float64], runs: int) -> dict[str, Any]:
    """Figures of the predictions that left at one exit; nulls where none did."""
    figures = summarise_latency(milliseconds) if len(milliseconds) else None
    return {"share": len(milliseconds) / runs, "latency_ms": figures}


def _print(found: dict[str, Any], images: str) -> None:
    print(f"{found['runs']} predictions of {images}, threads: {found['threads']}, {found['cpu']}\n")
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
        f"\n{found['images_per_second']:,.0f} images a second, one at a time; "
        f"{found['peak_memory_mb']:.0f} MB resident at most"
    )
