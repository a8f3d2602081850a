"""What is said where a cluster cannot be used as it is."""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdtasks.core.errors import SweepError
from kdtasks.orchestrate.cluster import client as client_file
from kdtasks.orchestrate.cluster.client import (
    WorkerFacts,
    check_workers,
    cluster_client,
    worker_facts,
)


def connect(address: str) -> None:
    with cluster_client(Path("project"), address):
        pytest.fail("connected")


@pytest.mark.parametrize("address", ["local", "local:0", "local:-1", "host:8786", "http://host"])
def test_what_is_no_address(address: str):
    with pytest.raises(SweepError, match=f"--cluster {address}: expected local:3 .* or .*tcp://"):
        connect(address)


def test_without_dask(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SweepError, match=r"distributed is missing: pip install 'kdtasks\[cluster"):
        connect("local:2")


def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_file, "PATIENCE_SECONDS", 0.2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(SweepError, match=f"no scheduler answers at {address} within 0.2 s .*start"):
        connect(address)


def checked(answers: dict[str, Any]) -> Any:
    client: Any = SimpleNamespace(
        scheduler_info=lambda: {"address": "tcp://s:1"}, run=lambda function, on_error: answers
    )
    return check_workers(client)


def test_workers_that_can_do_it():
    answers = {"tcp://a:1": worker_facts(), "tcp://b:1": worker_facts()._replace(processor="x")}
    assert checked(answers) == answers
    assert worker_facts().versions.startswith("kdtasks ")


def test_cores_are_shared_by_the_workers_of_a_host():
    facts = worker_facts()._replace(host="a", cores=8)
    shares = [facts.share({"a": number, "b": 9}) for number in (1, 3, 9)]
    assert shares == [8, 2, 1]
    assert facts.share({"b": 9}) == 8  # it came later


def test_workers_on_this_machine(tmp_path: Path):
    with cluster_client(tmp_path, "local:1") as client:
        assert list(check_workers(client).values()) == [worker_facts()]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({}, "tcp://s:1 has no workers; start some with `dask worker tcp://s:1"),
        ({"a": ModuleNotFoundError("No module kdtasks")}, "worker a cannot run kdtasks .No module"),
        (
            {"a": WorkerFacts("kdtasks 9", "x", "h", 2)},
            "a has kdtasks 9, and this was begun with kdt",
        ),
    ],
)
def test_workers_that_cannot(answers: dict[str, Any], message: str):
    with pytest.raises(SweepError, match=message):
        checked(answers)
