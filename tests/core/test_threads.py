"""Work in threads: results in order, few ahead, errors in their place, an end at once."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from kdtasks.core.threads import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))  # so that some are overtaken
        return number * number

    assert list(in_order(work, range(40), threads=threads)) == [n * n for n in range(40)]


def test_work_is_done_in_several_threads_at_once() -> None:
    together = threading.Barrier(3, timeout=30)  # breaks unless three wait at the same time
    assert list(in_order(lambda _: together.wait() >= 0, range(3), threads=3)) == [True] * 3


def test_items_are_taken_only_a_few_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = in_order(lambda number: number, items(), threads=2)
    for _ in range(10):
        next(results)
    assert len(taken) <= 10 + 2 * 4
    results.close()  # type: ignore[attr-defined]


def test_an_error_is_raised_in_its_place_and_nothing_more_begins() -> None:
    begun, go_on = [], threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number == 2:
            raise ValueError("two")
        if number > 2:
            go_on.wait(30)
        return number

    results = in_order(work, range(1000), threads=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
    before = len(begun)
    go_on.set()
    assert before <= 2 + 2 * 4


def test_the_number_is_the_one_that_the_process_is_pinned_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KDTASKS_THREADS", "2")
    together = threading.Barrier(2, timeout=30)
    assert len(list(in_order(lambda _: together.wait(), range(4)))) == 4
    monkeypatch.delenv("KDTASKS_THREADS")
    main = threading.current_thread()
    assert list(in_order(lambda _: threading.current_thread(), range(2))) == [main, main]


ENDLESS = """
import time
from kdtasks.core.threads import in_order
def work(number):
    time.sleep(0.02)
    return number
for number in in_order(work, range(1_000_000), threads=2):
    if number == 3:
        print("ready", flush=True)
"""


def test_ctrl_c_ends_it_with_hours_of_work_before_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert told.rstrip().endswith("KeyboardInterrupt")
