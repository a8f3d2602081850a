"""Measure what a bundle costs on this machine: milliseconds an image, memory."""

import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtasks.core.latency import Latency
from kdtasks.edge.predictor import Predictor
from kdtasks.edge.segments import Pixels, Segments

# From one image, uint8 [height, width, channels], to the exit that answered it.
Predict = Callable[[Pixels], int]
# N of uint8 [height, width, channels], in one array or in several of any size.
Images = Pixels | Sequence[Pixels]
Times = npt.NDArray[np.float64]

# How often one image is timed, and predictions before that which are not.
_ROUNDS, _WARMUP = 60, 10


class ModelTimes(NamedTuple):
    """Single-image predictions of a model that were timed.

    Attributes:
        milliseconds: [images], with early exits; the median of each image over the rounds.
        left_at: int64 [images], the exit of each.
        full: [images], as `milliseconds`, where every image runs to the last exit.
    """

    milliseconds: Times
    left_at: npt.NDArray[np.int64]
    full: Times

    @property
    def latency(self) -> Latency:
        """The five statistics."""
        return summarise_latency(self.milliseconds, self.full)


def time_predictions(
    predicts: Sequence[Predict], images: Images, *, rounds: int, warmup: int
) -> tuple[Times, npt.NDArray[np.int64]]:
    """Time single-image predictions of one or more models on the same images.

    In every round all images are answered once, in the order given, each by all models in turn. Who
    comes first changes from image to image and from round to round, since the second finds the
    image in the processor's cache.

    Of an image's times the median over the rounds is kept. What holds a single prediction up, such
    as another process, would otherwise decide over the mean and the upper percentiles; so these
    tell how images differ, not how busy the machine was. The rounds lie apart in time: what slows
    fewer than half of them down leaves no trace.

    Args:
        predicts: one prediction of each model.
        images: N of uint8 [height, width, channels], at least one.
        rounds: how often every image is timed, at least 1.
        warmup: predictions of each model before them that are not timed.

    Returns:
        milliseconds [models, N] and the exit that each image left at, int64 [models, N].
    """
    # In memory before the clock runs: reading a mapped file is no part of a prediction.
    kept = [np.array(image) for image in images]
    nanoseconds = np.empty((len(predicts), rounds, len(kept)), np.int64)
    exits = np.empty((len(predicts), len(kept)), np.int64)
    for turn in range(warmup):
        for predict in predicts:
            predict(kept[turn % len(kept)])
    for turn in range(rounds):
        for row, image in enumerate(kept):
            for index in range(len(predicts))[:: 1 if (turn + row) % 2 else -1]:
                start = time.perf_counter_ns()
                exit_index = predicts[index](image)
                spent = time.perf_counter_ns() - start
                nanoseconds[index, turn, row], exits[index, row] = spent, exit_index
    return np.median(nanoseconds, axis=1) / 1e6, exits


def time_models(
    models: Sequence[Predictor], images: Images, *, rounds: int, warmup: int
) -> list[ModelTimes]:
    """Time loaded models on the same images, as `time_predictions`.

    A model with early exits takes its turn twice: with them, and to the last exit.
    """
    predicts, slices = list[Predict](), []
    for model in models:
        ways = [model] if model.segments.count == 1 else [model, model.without_early_exits()]
        slices.append((len(predicts), len(predicts) + len(ways) - 1))
        predicts += map(exits_of, ways)
    times, exits = time_predictions(predicts, images, rounds=rounds, warmup=warmup)
    return [ModelTimes(times[early], exits[early], times[full]) for early, full in slices]


def summarise_latency(milliseconds: Times, full: Times) -> Latency:
    """Give the five statistics of a model's times.

    Args:
        milliseconds: [images], of images in the mix in which they come, with early exits.
        full: [images], of the same images to the last exit.
    """
    p50, p90, p99 = np.percentile(milliseconds, [50, 90, 99]).tolist()
    return Latency(float(milliseconds.mean()), p50, p90, p99, worst=float(full.mean()))


def mean_by_exit(
    milliseconds: Times, exits: npt.NDArray[np.int64], count: int
) -> list[float | None]:
    """Give the mean time of the images that left at each of `count` exits, None for none."""
    return [
        float(milliseconds[exits == index].mean()) if (exits == index).any() else None
        for index in range(count)
    ]


def rate_by_exit(exits: npt.NDArray[np.int64], count: int) -> list[float]:
    """Give the fraction of images that left at each of `count` exits."""
    return [float((exits == index).mean()) for index in range(count)]


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


def exits_of(model: Predictor) -> Predict:
    """Give a function that answers one image and tells the exit that did."""
    return lambda image: model.predict(image).exit_index


def worst_latency_ms(content: bytes) -> float:
    """Time one image of noise through all segments of a file: the median of 60 times, in ms.

    Which exit an image would leave at is not known of a file without thresholds.
    """
    segments = Segments(content)
    image = np.random.default_rng(0).integers(0, 256, segments.input_shape, np.uint8)
    (milliseconds,), _ = time_predictions(
        [lambda image: len(segments.logits(image))], image[None], rounds=_ROUNDS, warmup=_WARMUP
    )
    return float(milliseconds[0])
