import threading
import time

import pytest

from kdtasks.deploy.store.transfer import Transfers, TransferStopped


class Counted:
    """A progress that adds up."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def expect(self, total: int) -> None:
        self.total = total

    def advance(self, count: int) -> None:
        self.done += count


@pytest.mark.parametrize("workers", [1, 3, 50])
def test_every_item_is_handled_once(workers: int):
    handled: list[int] = []
    Transfers(workers=workers).run(handled.append, range(20))
    assert sorted(handled) == list(range(20))


def test_no_items_are_no_work():
    Transfers().run(pytest.fail, [])


def test_they_run_side_by_side():
    together = threading.Barrier(4, timeout=30)
    Transfers(workers=4).run(lambda _: together.wait(), range(4))


def test_runs_inside_runs():
    transfers = Transfers(workers=2)
    handled: list[int] = []
    transfers.run(lambda outer: transfers.run(handled.append, [outer, outer]), range(3))
    assert sorted(handled) == [0, 0, 1, 1, 2, 2]


def test_the_first_error_stops_the_others():
    transfers = Transfers(workers=2)
    started: list[int] = []
    stopped = threading.Event()

    def work(item: int) -> None:
        started.append(item)
        if item == 1:
            raise ValueError("one")
        try:
            while True:
                transfers.advance(1)
                time.sleep(0.001)
        except TransferStopped:
            stopped.set()
            raise

    with pytest.raises(ValueError, match="one"):
        transfers.run(work, range(100))
    assert stopped.wait(60)
    assert len(started) == 2


def test_ctrl_c_comes_through_at_once(monkeypatch: pytest.MonkeyPatch):
    """Even while a server hangs: nobody waits for the threads."""
    release = threading.Event()
    transfers = Transfers(workers=2)

    def work(item: int) -> None:
        if item:
            raise KeyboardInterrupt
        release.wait(60)

    monkeypatch.setattr("kdtasks.deploy.store.transfer._LINGER_SECONDS", 0.01)
    with pytest.raises(KeyboardInterrupt):
        transfers.run(work, [0, 1])
    assert not release.is_set()
    release.set()


def test_waiting_ends_when_the_transfer_is_to_stop():
    transfers = Transfers(workers=2)
    outcome: list[str] = []

    def work(item: int) -> None:
        if item:
            raise ValueError
        try:
            transfers.wait(60)
        except TransferStopped:
            outcome.append("stopped")

    with pytest.raises(ValueError):  # noqa: PT011
        transfers.run(work, [0, 1])
    assert outcome == ["stopped"]


def test_progress_is_passed_on():
    progress = Counted()
    transfers = Transfers(workers=4, progress=progress)
    transfers.progress.expect(60)
    transfers.run(transfers.advance, [10, 20, 30])
    assert (progress.total, progress.done) == (60, 60)


def test_workers_are_added_while_the_processor_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kdtasks.deploy.store.transfer._LOOK_SECONDS", 0.01)
    together = threading.Barrier(12, timeout=30)
    Transfers(workers=12).run(lambda _: together.wait(), range(12))


def test_workers_are_not_added_while_the_processor_is_busy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kdtasks.deploy.store.transfer._LOOK_SECONDS", 0.01)
    monkeypatch.setattr("kdtasks.deploy.store.transfer._BUSY", 0.0)
    names = set()
    four = threading.Barrier(4, timeout=30)

    def work(_: int) -> None:
        names.add(threading.current_thread().name)
        four.wait()  # or a thread that gets the processor late would find nothing left to do
        time.sleep(0.005)

    Transfers(workers=12).run(work, range(40))
    assert len(names) == 4
