"""Time several models in turn, so that a busy moment of the machine meets all of them."""

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kdtasks.edge.model import Model


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
