"""Time a bundle as a device uses it, picture by picture."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtasks.edge.model import Model
from kdtasks.edge.scores import NEVER
from kdtasks.edge.segmentation import Segmenter
from kdtasks.evaluation.latency import (
    Predict,
    mean_by_exit,
    peak_memory_mb,
    summarise_latency,
    time_predictions,
)

Pictures = npt.NDArray[np.uint8]


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
