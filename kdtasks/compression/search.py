"""Search the share of filters to remove that just meets a goal, by measuring."""

import statistics
import time
from collections.abc import Callable

import numpy as np

from kdtasks.edge.segments import Segments
from kdtasks.errors import CompressionError
from kdtasks.models.multi_exit import MultiExitModel

Measure = Callable[[MultiExitModel], float]

# Halvings of the interval of ratios; the last is narrower than a filter of most layers.
_HALVINGS = 7
# Nothing beyond this is tried: one filter a layer is left of layers of fewer than 100.
_MOST = 0.99
# Timed predictions, after some that are not.
_RUNS, _WARMUP = 60, 10


def measures(
    model: MultiExitModel, convert: Callable[[MultiExitModel], bytes]
) -> dict[str, Measure]:
    """Name the ways to measure a smaller model.

    Arguments:
        model: what it is compared with.
        convert: makes the file of a model.
    """
    whole = model.macs()[-1]
    return {
        "macs": lambda smaller: smaller.macs()[-1] / whole,
        "size_kb": lambda smaller: len(convert(smaller)) / 1000,
        "latency_ms": lambda smaller: latency_ms(convert(smaller)),
    }


def latency_ms(content: bytes) -> float:
    """Median time of one picture through all exits of a file on this machine, in ms."""
    segments = Segments(content)
    image = np.random.default_rng(0).integers(0, 256, segments.input_shape, np.uint8)
    times = []
    for _ in range(_WARMUP + _RUNS):
        start = time.perf_counter()
        segments.logits(image)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[_WARMUP:])


def least_ratio(
    shrunk: Callable[[float], MultiExitModel], measure: Measure, *, goal: float, name: str
) -> float:
    """Return the smallest ratio, found by bisection, whose model is within the goal.

    Arguments:
        shrunk: from a ratio to the model without so many filters.
        measure: what must not exceed `goal`; falls as the ratio grows.
        name: of the goal, for messages.

    Raises:
        CompressionError: not even the smallest model is within the goal.
    """
    seen: dict[int, float] = {}

    def within(ratio: float) -> bool:
        model = shrunk(ratio)
        key = model.count_parameters()
        if key not in seen:
            seen[key] = measure(model)
            print(f"filters: ratio {ratio:.3f} gives {name} {seen[key]:.4g}, goal {goal:g}")
        return seen[key] <= goal

    low, high = 0.0, _MOST
    if not within(high):
        raise CompressionError(
            f"compress.filters.target {name} {goal:g} cannot be reached: with as few filters as "
            f"possible it is {min(seen.values()):.4g}; raise the target, or take a smaller student"
        )
    if within(low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if within(middle) else (middle, high)
    return high
