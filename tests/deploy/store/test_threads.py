import threading
from concurrent.futures import wait

import pytest

from kdtasks.deploy.store.threads import AT_ONCE, DaemonThreads, concurrently, in_background


def test_others_go_on_until_they_need_the_result():
    release = threading.Event()
    call = in_background(release.wait, 60)
    assert not call.done()
    release.set()
    assert call.result()


def test_an_error_is_raised_where_the_result_is_asked_for():
    def fail() -> None:
        raise ValueError("no network")

    with pytest.raises(ValueError, match="no network"):
        in_background(fail).result()


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, 5 * AT_ONCE])
def test_results_come_in_the_order_of_the_items(count: int):
    assert concurrently(lambda item: item * item, range(count)) == [n * n for n in range(count)]


def test_calls_run_side_by_side():
    together = threading.Barrier(AT_ONCE, timeout=60)
    concurrently(lambda _: together.wait(), range(AT_ONCE))


def test_after_an_error_nothing_is_begun_and_nothing_is_left_running():
    begun, ended = [], []
    failed = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            failed.set()
            raise ValueError("first")
        failed.wait(60)
        ended.append(item)

    with pytest.raises(ValueError, match="first"):
        concurrently(work, range(100 * AT_ONCE))
    assert len(begun) < 100 * AT_ONCE
    assert sorted(ended) == sorted(begun)[1:]


def test_ctrl_c_comes_through_at_once():
    """Even while a server hangs: nobody waits for the threads."""
    release = threading.Event()
    ended = []

    def work(item: int) -> None:
        if item == 0:
            raise KeyboardInterrupt
        release.wait(60)
        ended.append(item)

    with pytest.raises(KeyboardInterrupt):
        concurrently(work, [0, 1])
    assert ended == []
    release.set()


def test_an_executor_runs_no_more_calls_at_once_than_it_may():
    threads, lock = DaemonThreads(max_workers=3), threading.Lock()
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    wait([threads.submit(work) for _ in range(50)])
    assert 1 <= most <= 3
    assert running == 0
