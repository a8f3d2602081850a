"""Measure what a bundle costs on this machine: milliseconds a picture, memory."""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt

# From one picture, uint8 [height, width, channels], to the exit that answered it.
Predict = Callable[[npt.NDArray[np.uint8]], int]


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
