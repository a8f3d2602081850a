"""Measure what a bundle costs on this machine: milliseconds a picture, memory."""

import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from kdtasks.edge.classifier import Model
from kdtasks.edge.scores import NEVER
from kdtasks.edge.segmenter import Segmenter
from kdtasks.edge.segments import Segments

# From one picture, uint8 [height, width, channels], to the exit that answered it.
Predict = Callable[[npt.NDArray[np.uint8]], int]
Pictures = npt.NDArray[np.uint8]

# Timed predictions, after some that are not.
_RUNS, _WARMUP = 60, 10


class LatencySummary(TypedDict):
    """Milliseconds a picture."""

    p50: float
    p90: float
    p99: float
    mean: float


def time_predictions(
    predict: Predict, images: npt.NDArray[np.uint8], *, runs: int, warmup: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Time single-picture predictions, one after the other.

    Args:
        predict: one prediction.
        images: uint8 [N, height, width, channels], taken in turn, from the start again as needed.
        runs: predictions that are timed, at least 1.
        warmup: predictions before them that are not.

    Returns:
        milliseconds [runs] and the exit that each left at [runs].
    """
    # In memory before the clock runs: reading a mapped file is no part of a prediction.
    pictures = [np.array(images[index % len(images)]) for index in range(min(runs, len(images)))]
    for index in range(warmup):
        predict(pictures[index % len(pictures)])
    nanoseconds = np.empty(runs, np.int64)
    exits = np.empty(runs, np.int64)
    for index in range(runs):
        picture = pictures[index % len(pictures)]
        start = time.perf_counter_ns()
        exit_index = predict(picture)
        nanoseconds[index] = time.perf_counter_ns() - start
        exits[index] = exit_index
    return nanoseconds / 1e6, exits


def summarise_latency(milliseconds: npt.NDArray[np.float64]) -> LatencySummary:
    """Give median, 90th and 99th percentile and mean of times [runs] in milliseconds."""
    p50, p90, p99 = np.percentile(milliseconds, [50, 90, 99])
    return {
        "p50": float(p50),
        "p90": float(p90),
        "p99": float(p99),
        "mean": float(milliseconds.mean()),
    }


def mean_by_exit(
    milliseconds: npt.NDArray[np.float64], exits: npt.NDArray[np.int64], count: int
) -> list[float | None]:
    """Give the mean time of the predictions that left at each of `count` exits, None for none."""
    return [
        float(milliseconds[exits == index].mean()) if (exits == index).any() else None
        for index in range(count)
    ]


def peak_memory_mb() -> float:
    """Give the most memory that this process has held so far, in MB (1,000,000 bytes)."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux hands ru_maxrss down from the process that started this one; VmHWM is its own.
        peak = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
        if peak:
            return int(peak[1]) * 1024 / 1e6
    import resource  # not there on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def time_classifier(
    bundle: Path, pictures: Pictures, *, threads: int, runs: int, warmup: int
) -> dict[str, Any]:
    """Time a classifier with its early exits and without them.

    Arguments:
        bundle: folder of the bundle.
        pictures: uint8 [N, height, width, channels], taken in turn.
        threads: of the interpreter.
        runs: predictions that are timed.
        warmup: predictions before that, which are not.

    Returns:
        `latency_ms`, `full_ms`, `exit_ms` and `peak_memory_mb` of `metrics/benchmark/`.
    """
    model = Model.load(bundle, threads=threads)
    exits = model.segments.count
    early_ms, left_at = time_predictions(exits_of(model), pictures, runs=runs, warmup=warmup)
    memory = peak_memory_mb()  # before a second model is loaded
    full = Model.load(bundle, thresholds=[NEVER] * (exits - 1), threads=threads)
    full_ms, _ = time_predictions(exits_of(full), pictures, runs=runs, warmup=warmup)
    return {
        "latency_ms": summarise_latency(early_ms),
        "full_ms": summarise_latency(full_ms),
        "exit_ms": mean_by_exit(early_ms, left_at, exits),
        "peak_memory_mb": memory,
    }


def time_masks(
    bundle: Path, pictures: Pictures, *, threads: int, runs: int, warmup: int
) -> dict[str, Any]:
    """Time the mask of one patch after the other; arguments and result as of `time_classifier`."""
    segmenter = Segmenter(bundle, threads=threads)

    def label(picture: Pictures) -> int:
        segmenter.classes(picture[None])
        return 0

    milliseconds, _ = time_predictions(label, pictures, runs=runs, warmup=warmup)
    summary = summarise_latency(milliseconds)
    return {
        "latency_ms": summary,
        "full_ms": summary,
        "exit_ms": [float(milliseconds.mean())],
        "peak_memory_mb": peak_memory_mb(),
    }


def exits_of(model: Model) -> Predict:
    """Give a function that classifies one picture and tells the exit that answered."""
    return lambda picture: model.predict(picture).exit_index


def time_in_turn(
    models: Sequence[Model], images: npt.NDArray[np.uint8], *, runs: int, warmup: int
) -> npt.NDArray[np.float64]:
    """Time single-picture predictions of every model on the same pictures, one after another.

    In every round each model answers the same picture; who comes first changes from round to
    round, since the second finds the picture in the processor's cache.

    Args:
        models: loaded bundles that take the same pictures.
        images: uint8 [N, height, width, channels], taken in turn, from the start again as needed.
        runs: rounds that are timed, at least 1.
        warmup: rounds before them that are not.

    Returns:
        milliseconds [models, runs].
    """
    # In memory before the clock runs: reading a mapped file is no part of a prediction.
    pictures = [np.array(images[index % len(images)]) for index in range(min(runs, len(images)))]
    nanoseconds = np.empty((len(models), runs), np.int64)
    for turn in range(-warmup, runs):
        picture = pictures[turn % len(pictures)]
        places = range(len(models)) if turn % 2 else reversed(range(len(models)))
        for place in places:
            start = time.perf_counter_ns()
            models[place].predict(picture)
            spent = time.perf_counter_ns() - start
            if turn >= 0:
                nanoseconds[place, turn] = spent
    return nanoseconds / 1e6


def latency_ms(content: bytes) -> float:
    """Median time of one picture through all exits of a file, in ms."""
    segments = Segments(content)
    image = np.random.default_rng(0).integers(0, 256, segments.input_shape, np.uint8)
    milliseconds, _ = time_predictions(
        lambda image: len(segments.logits(image)), image[None], runs=_RUNS, warmup=_WARMUP
    )
    return float(np.median(milliseconds))
