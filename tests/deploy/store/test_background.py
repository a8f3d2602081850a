import threading

import pytest

from kdtasks.deploy.store.objects import Background, in_background


def test_others_go_on_until_they_need_the_result():
    release = threading.Event()
    wait = in_background(lambda: release.wait(30))
    release.set()
    assert wait() is True


def test_it_is_called_once_for_all_who_ask():
    calls: list[int] = []
    release = threading.Event()

    def work() -> int:
        release.wait(30)
        calls.append(1)
        return 7

    background = Background(work)
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(background.result())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    release.set()
    for thread in threads:
        thread.join()
    assert (results, calls) == ([7] * 4, [1])
    assert background.result() == 7
    assert calls == [1]


def test_a_failure_is_told_and_not_kept():
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("no network")
        return 7

    background = Background(work)
    background.check()  # nothing has happened yet
    background.finish()
    background.start()
    background.finish()
    with pytest.raises(ValueError, match="no network"):
        background.check()
    assert background.result() == 7
    background.check()


def test_check_does_not_wait():
    release = threading.Event()
    background = Background(lambda: release.wait(30))
    background.start()
    background.check()
    release.set()
    assert background.result()
