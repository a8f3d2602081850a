"""Measure what a bundle costs on this machine: milliseconds an image, memory."""

import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from kdtasks.edge.predictor import Predictor
from kdtasks.edge.registry import load_predictor
from kdtasks.edge.scores import NEVER
from kdtasks.edge.segments import Pixels, Segments

# From one image, uint8 [height, width, channels], to the exit that answered it.
Predict = Callable[[Pixels], int]
# N of uint8 [height, width, channels], in one array or in several of any size.
Images = Pixels | Sequence[Pixels]

# Timed predictions, after some that are not.
_RUNS, _WARMUP = 60, 10


class LatencySummary(TypedDict):
    """Milliseconds an image."""

    p50: float
    p90: float
    p99: float
    mean: float


def time_predictions(
    predicts: Sequence[Predict], images: Images, *, runs: int, warmup: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Time single-image predictions of one or more models on the same images.

    In every round each model answers the same image; who comes first changes from round to round,
    since the second finds the image in the processor's cache.

    Args:
        predicts: one prediction of each model.
        images: N of uint8 [height, width, channels], taken in turn, from the start again as needed.
        runs: rounds that are timed, at least 1.
        warmup: rounds before them that are not.

    Returns:
        milliseconds [models, runs] and the exit that each left at [models, runs].
    """
    # In memory before the clock runs: reading a mapped file is no part of a prediction.
    kept = [np.array(images[index]) for index in range(min(runs, len(images)))]
    nanoseconds = np.empty((len(predicts), runs), np.int64)
    exits = np.empty_like(nanoseconds)
    for turn in range(-warmup, runs):
        image = kept[turn % len(kept)]
        for place in range(len(predicts))[:: 1 if turn % 2 else -1]:
            start = time.perf_counter_ns()
            exit_index = predicts[place](image)
            spent = time.perf_counter_ns() - start
            if turn >= 0:
                nanoseconds[place, turn], exits[place, turn] = spent, exit_index
    return nanoseconds / 1e6, exits


def time_in_turn(
    models: Sequence[Predictor], images: Images, *, runs: int, warmup: int
) -> npt.NDArray[np.float64]:
    """Time loaded bundles that take the same images, as `time_predictions`: ms [models, runs]."""
    predicts = [exits_of(model) for model in models]
    return time_predictions(predicts, images, runs=runs, warmup=warmup)[0]


def summarise_latency(milliseconds: npt.NDArray[np.float64]) -> LatencySummary:
    """Give median, 90th and 99th percentile and mean of times [runs] in milliseconds."""
    p50, p90, p99 = np.percentile(milliseconds, [50, 90, 99]).tolist()
    return {"p50": p50, "p90": p90, "p99": p99, "mean": float(milliseconds.mean())}


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


class BundleTimes(NamedTuple):
    """Single-image predictions of a bundle that were timed; K exits.

    Attributes:
        milliseconds: [runs], with early exits.
        left_at: int64 [runs], the exit of each.
        full: [runs], milliseconds without early exits.
        exits: K.
        peak_memory_mb: of this process, with one model loaded.
    """

    milliseconds: npt.NDArray[np.float64]
    left_at: npt.NDArray[np.int64]
    full: npt.NDArray[np.float64]
    exits: int
    peak_memory_mb: float


def time_bundle(
    bundle: Path, images: Images, *, threads: int, runs: int, warmup: int
) -> BundleTimes:
    """Time a bundle of any task with its early exits and, where it has some, without them.

    Args:
        bundle: a folder, a `.kdz` or a bare `.tflite`.
        images: N of uint8 [height, width, channels], as of `Predictor.fit`, taken in turn.
        threads: of the interpreter.
        runs: predictions that are timed.
        warmup: predictions before that, which are not.
    """
    model = load_predictor(bundle, threads=threads)
    exits = model.segments.count
    (early,), (left_at,) = time_predictions([exits_of(model)], images, runs=runs, warmup=warmup)
    memory, full = peak_memory_mb(), early  # before a second model is loaded
    if exits > 1:
        whole = load_predictor(bundle, [NEVER] * (exits - 1), threads)
        (full,), _ = time_predictions([exits_of(whole)], images, runs=runs, warmup=warmup)
    return BundleTimes(early, left_at, full, exits, memory)


def exits_of(model: Predictor) -> Predict:
    """Give a function that answers one image and tells the exit that did."""
    return lambda image: model.predict(image).exit_index


def latency_ms(content: bytes) -> float:
    """Median time of one image through all exits of a file, in ms."""
    segments = Segments(content)
    image = np.random.default_rng(0).integers(0, 256, segments.input_shape, np.uint8)
    milliseconds, _ = time_predictions(
        [lambda image: len(segments.logits(image))], image[None], runs=_RUNS, warmup=_WARMUP
    )
    return float(np.median(milliseconds))
