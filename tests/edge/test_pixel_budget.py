"""A budget of pixels: never more than it at once, first come, first served, none waits for ever."""

import threading
import time
from collections.abc import Callable

import pytest

from kdtasks.edge.pixel_budget import PixelBudget

PATIENCE = 30.0


def start(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def test_the_sum_never_exceeds_the_budget() -> None:
    budget, lock = PixelBudget(10), threading.Lock()
    at_once, most, done = 0, 0, 0

    def work(pixels: int) -> None:
        nonlocal at_once, most, done
        for _ in range(5):
            with budget.held(pixels):
                with lock:
                    at_once += min(pixels, 10)
                    most = max(most, at_once)
                time.sleep(0.0005)
                with lock:
                    at_once -= min(pixels, 10)
                    done += 1

    threads = [start(work, pixels) for pixels in (1, 2, 3, 5, 7, 10, 99) * 4]
    for thread in threads:
        thread.join(PATIENCE)
    assert done == 5 * 28
    assert most <= 10


def test_small_ones_go_side_by_side() -> None:
    budget, together = PixelBudget(9), threading.Barrier(3, timeout=PATIENCE)
    met = []

    def work() -> None:
        with budget.held(3):
            together.wait()  # breaks unless three hold it at the same time
            met.append(True)

    for thread in [start(work) for _ in range(3)]:
        thread.join(PATIENCE)
    assert len(met) == 3


def test_a_large_one_is_not_overtaken_for_ever() -> None:
    budget, order = PixelBudget(10), []

    def work(name: str, pixels: int) -> None:
        with budget.held(pixels):
            order.append(name)
            time.sleep(0.01)

    with budget.held(5):
        large = start(work, "large", 8)
        while not budget._door.locked():
            time.sleep(0.001)
        small = start(work, "small", 5)
        small.join(0.05)
        assert order == []  # there is room for it, but it came later
    for thread in (large, small):
        thread.join(PATIENCE)
    assert order == ["large", "small"]


def test_an_error_gives_the_room_back() -> None:
    budget = PixelBudget(4)
    with pytest.raises(ValueError, match="no"), budget.held(4):
        raise ValueError("no")
    with budget.held(4):
        pass
