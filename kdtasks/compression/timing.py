"""How long an exported file takes for one picture on this machine."""

import statistics
import time

import numpy as np

from kdtasks.edge.segments import Segments

# Timed predictions, after some that are not.
_RUNS, _WARMUP = 60, 10


def latency_ms(content: bytes) -> float:
    """Median time of one picture through all exits of a file, in ms."""
    segments = Segments(content)
    image = np.random.default_rng(0).integers(0, 256, segments.input_shape, np.uint8)
    times = []
    for _ in range(_WARMUP + _RUNS):
        start = time.perf_counter()
        segments.logits(image)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[_WARMUP:])
