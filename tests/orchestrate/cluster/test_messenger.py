"""What comes of a request to a worker of Dask, which is a thread of this process."""

from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster, get_worker

from kdtasks.core.settings import RuntimeParams
from kdtasks.orchestrate.cluster.messenger import Messenger
from kdtasks.orchestrate.cluster.shipping import ShippedProject
from kdtasks.orchestrate.cluster.worker import Message, WorkRequest, WorkResult
from kdtasks.orchestrate.project.git import WorkingTree

TREE = WorkingTree(Path("project"), Path("top"), "head", (), (), (), ())
MESSAGE = Message("alpha=0.1", "x86-64", ["a line"], "an event")


def work(request: WorkRequest) -> WorkResult:
    get_worker().log_event(request.topic, MESSAGE._asdict())
    return WorkResult(b"", None, {request.name: b""})


def test_messages_arrive_as_they_were_sent():
    request = WorkRequest(
        MESSAGE.name, "clone", "", ("compare",), RuntimeParams(), 1, {}, TREE, "state",
        ShippedProject({}, "", ()),
    )  # fmt: skip
    heard: list[Any] = []
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
        Messenger.of(client) as messenger,
    ):
        while not heard:  # the end may come before the message
            work_result = messenger.send(work, request, heard.append, lambda: False)
    assert work_result == WorkResult(b"", None, {MESSAGE.name: b""})
    assert heard[0]._replace(lines=list(heard[0].lines)) == MESSAGE
