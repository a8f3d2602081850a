"""What is timed, in which order, and the statistics of it, on a clock that a test turns."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.latency import STATISTICS, Latency
from kdtasks.edge.latency import (
    exits_of,
    mean_by_exit,
    peak_memory_mb,
    rate_by_exit,
    summarise_latency,
    time_models,
    time_predictions,
)

Advance = Callable[[float], None]


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Advance:
    """Let milliseconds pass."""
    now = [0]

    def pass_time(milliseconds: float) -> None:
        now[0] += round(1e6 * milliseconds)

    monkeypatch.setattr("kdtasks.edge.latency.time.perf_counter_ns", lambda: now[0])
    return pass_time


class Model:
    """A model that leaves at the exit that the image's only pixel names, and writes down the rest.

    Args: `costs` are the milliseconds up to each exit.
    """

    def __init__(
        self, name: str, asked: list[tuple[str, int]], advance: Advance, costs: Sequence[float]
    ) -> None:
        self.segments = SimpleNamespace(count=len(costs))
        self._name, self._asked, self._advance, self._costs = name, asked, advance, costs
        self._goes_on = False

    def without_early_exits(self) -> Self:
        model = type(self)(f"{self._name} whole", self._asked, self._advance, self._costs)
        model._goes_on = True
        return model

    def predict(self, image: np.ndarray) -> Any:
        self._asked.append((self._name, int(image.item())))
        exit_index = len(self._costs) - 1 if self._goes_on else int(image.item())
        self._advance(self._costs[exit_index])
        return SimpleNamespace(exit_index=exit_index)


def pixels(*values: int) -> np.ndarray:
    """Images of one pixel each."""
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


def test_every_model_answers_every_image_in_every_round_and_warm_up_is_not_timed(advance: Advance):
    asked: list[tuple[str, int]] = []
    models: Any = [Model(name, asked, advance, [1.0, 2.0, 4.0]) for name in "ab"]
    times, exits = time_predictions(
        [exits_of(model) for model in models],
        pixels(0, 2),
        rounds=2,
        warmup=3,
    )
    assert asked[:6] == [("a", 0), ("b", 0), ("a", 2), ("b", 2), ("a", 0), ("b", 0)]
    assert asked[6:] == [
        *[("b", 0), ("a", 0), ("a", 2), ("b", 2)],
        *[("a", 0), ("b", 0), ("b", 2), ("a", 2)],
    ]
    assert times.tolist() == [[1.0, 4.0]] * 2
    assert exits.tolist() == [[0, 2]] * 2


def test_of_an_image_the_median_over_rounds_counts(advance: Advance):
    """Of three rounds one is held up by 100 ms, each time at another image."""
    turn = count()
    held_up = {0, 4, 8}

    def predict(image: np.ndarray) -> int:
        advance(image.item() + 100.0 * (next(turn) in held_up))
        return 0

    times, _ = time_predictions([predict], pixels(1, 2, 6), rounds=3, warmup=0)
    assert times.tolist() == [[1.0, 2.0, 6.0]]


def test_a_model_with_early_exits_runs_every_image_to_the_last_one_as_well(advance: Advance):
    asked: list[tuple[str, int]] = []
    models: Any = [Model("a", asked, advance, [1.0, 2.0, 5.0]), Model("b", asked, advance, [3.0])]
    early, plain = time_models(models, pixels(0, 0), rounds=1, warmup=0)
    assert early.milliseconds.tolist() == [1.0, 1.0]
    assert early.full.tolist() == [5.0, 5.0]  # though no image of the sample goes that far
    assert early.left_at.tolist() == [0, 0]
    assert early.latency == Latency(mean=1.0, p50=1.0, p90=1.0, p99=1.0, worst=5.0)
    assert plain.latency == Latency(mean=3.0, p50=3.0, p90=3.0, p99=3.0, worst=3.0)
    assert {name for name, _ in asked} == {"a", "a whole", "b"}


def mixed(early: int) -> Latency:
    """Of 100 images so many leave after 1 ms, the others after 3 ms."""
    return summarise_latency(np.repeat([1.0, 3.0], [early, 100 - early]), np.full(100, 3.5))


def test_the_median_jumps_where_two_more_images_leave_early_and_the_mean_does_not():
    assert mixed(51) == Latency(mean=1.98, p50=1.0, p90=3.0, p99=3.0, worst=3.5)
    assert mixed(49) == Latency(mean=2.02, p50=3.0, p90=3.0, p99=3.0, worst=3.5)


def test_percentiles_by_hand():
    found = summarise_latency(np.arange(101.0), np.full(101, 120.0))
    assert found == Latency(mean=50.0, p50=50.0, p90=90.0, p99=99.0, worst=120.0)
    assert [found.of(each) for each in STATISTICS] == [50.0, 50.0, 90.0, 99.0, 120.0]


@given(st.integers(0, 99))
def test_the_mean_moves_by_what_one_image_saves(early: int):
    assert mixed(early).mean - mixed(early + 1).mean == pytest.approx(0.02)


def test_means_and_rates_by_exit():
    exits = np.array([0, 0, 2])
    assert mean_by_exit(np.array([1.0, 3.0, 10.0]), exits, 3) == [2.0, None, 10.0]
    assert rate_by_exit(exits, 3) == [2 / 3, 0.0, 1 / 3]


def test_memory_is_this_processes_own():
    """A process that starts another hands its peak down in ru_maxrss; ours must not show it."""
    ballast = b"\1" * 300_000_000
    script = "from kdtasks.edge.latency import peak_memory_mb; print(peak_memory_mb())"
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert 5 < float(finished.stdout) < len(ballast) / 1e6 < peak_memory_mb()
