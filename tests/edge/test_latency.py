import subprocess
import sys

import numpy as np

from kdtasks.edge.latency import mean_by_exit, peak_memory_mb, summarise_latency, time_predictions


class CountingModel:
    """A model that leaves at the exit that the image's only pixel names."""

    def __init__(self):
        self.seen = []

    def predict(self, image):
        self.seen.append(image.item())
        return image.item()


def test_images_are_taken_in_turn_and_warm_up_is_not_timed():
    model = CountingModel()
    images = np.array([0, 1, 2], np.uint8).reshape(3, 1, 1, 1)
    milliseconds, exits = time_predictions([model.predict], images, runs=5, warmup=4)
    assert model.seen == [2, 0, 1, 2, 0, 1, 2, 0, 1]
    assert exits.tolist() == [[0, 1, 2, 0, 1]]
    assert milliseconds.shape == (1, 5)
    assert (milliseconds >= 0).all()


def test_times_are_milliseconds(monkeypatch):
    ticks = iter([0, 2_000_000, 5_000_000, 5_500_000])
    monkeypatch.setattr("kdtasks.edge.latency.time.perf_counter_ns", lambda: next(ticks))
    images = np.zeros((1, 1, 1, 1), np.uint8)
    milliseconds, _ = time_predictions([CountingModel().predict], images, runs=2, warmup=0)
    assert milliseconds.tolist() == [[2.0, 0.5]]


def test_summary_by_hand():
    summary = summarise_latency(np.arange(101.0))
    assert summary == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "mean": 50.0}


def test_means_by_exit():
    found = mean_by_exit(np.array([1.0, 3.0, 10.0]), np.array([0, 0, 2]), 3)
    assert found == [2.0, None, 10.0]


def test_memory_is_this_processes_own():
    """A process that starts another hands its peak down in ru_maxrss; ours must not show it."""
    ballast = b"\1" * 300_000_000
    script = "from kdtasks.edge.latency import peak_memory_mb; print(peak_memory_mb())"
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert 5 < float(finished.stdout) < len(ballast) / 1e6 < peak_memory_mb()
