from types import SimpleNamespace
from typing import Any

import numpy as np

from kdtasks.edge.latency import time_in_turn


class Recorder:
    """A model that writes down that it was asked, and what."""

    def __init__(self, name: str, asked: list[tuple[str, int]]) -> None:
        self._name, self._asked = name, asked

    def predict(self, image: np.ndarray) -> Any:
        self._asked.append((self._name, int(image.item())))
        return SimpleNamespace(exit_index=0)


def test_models_take_turns_on_the_same_images(monkeypatch):
    ticks = iter(range(0, 10**9, 1_000_000))
    monkeypatch.setattr("kdtasks.edge.latency.time.perf_counter_ns", lambda: next(ticks))
    asked: list[tuple[str, int]] = []
    models: Any = [Recorder("a", asked), Recorder("b", asked)]
    images = np.array([7, 8], np.uint8).reshape(2, 1, 1, 1)
    times = time_in_turn(models, images, runs=3, warmup=1)
    assert asked == [
        *[("a", 8), ("b", 8)],  # the warm-up
        *[("b", 7), ("a", 7)],
        *[("a", 8), ("b", 8)],
        *[("b", 7), ("a", 7)],
    ]
    assert times.tolist() == [[1.0] * 3] * 2  # a tick is a million nanoseconds
