"""As many stages at once as a worker has cores for, whatever its threads."""

import threading
import time

import pytest
from distributed import Client, LocalCluster

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.cluster.core_pool import CorePool

PATIENCE_SECONDS = 60


# of the worker, which is a thread of this process
CORES, MEETING, AT_ONCE = CorePool(), threading.Barrier(3), list[int]()


def stage(number: int) -> int:
    with CORES.taken(2, 7, lambda: False) as let_another_in:
        AT_ONCE.append(len(CORES._threads))
        let_another_in()
        if number < 3:
            MEETING.wait(PATIENCE_SECONDS)  # which breaks unless all three are in
    return number


def test_one_thread_of_dask_takes_what_the_cores_can_hold():
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        assert client.gather(client.map(stage, range(5), pure=False)) == list(range(5))
    assert max(AT_ONCE) == 3


def test_a_stage_wider_than_the_worker_runs_alone_and_lets_go_however_it_ends():
    cores, entered = CorePool(), threading.Event()

    def wait_for_room() -> None:
        with cores.taken(1, 2, lambda: False):
            entered.set()

    other = threading.Thread(target=wait_for_room)

    def fail() -> None:
        with cores.taken(8, 2, lambda: False):
            other.start()
            time.sleep(0.05)
            assert not entered.is_set()
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        fail()
    other.join(PATIENCE_SECONDS)
    assert entered.is_set()


def test_a_stage_that_waits_can_be_stopped():
    cores = CorePool()
    with (
        cores.taken(2, 2, lambda: False),
        pytest.raises(SweepError, match="stopped"),
        cores.taken(1, 2, lambda: True),
    ):
        pytest.fail("there was no room")
