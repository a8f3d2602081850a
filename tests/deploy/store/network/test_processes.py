"""The command line itself, interrupted and killed for real."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdtasks.deploy.store.address import BLOBS
from kdtasks.deploy.store.catalogue import list_models
from kdtasks.deploy.store.objects import PART_BYTES, Objects
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.pull import PullResult
from kdtasks.deploy.store.records import list_numbers

pytestmark = pytest.mark.slow

PUBLISH = """
import sys
from pathlib import Path
from kdtasks.deploy.store.address import parse_address
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.publish import publish
publish(open_objects(parse_address(sys.argv[1])), Path(sys.argv[2]), name="digits")
"""
Write = Callable[..., Path]
Pull = Callable[..., PullResult]
ON_MOTO = pytest.mark.parametrize("server", ["moto"], indirect=True)


@pytest.fixture(autouse=True)
def heeded_interrupts() -> Iterator[None]:
    """Processes that are started here heed Ctrl-C, even where the tests run behind an `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_request(proxy: Any, method: str) -> None:
    """Wait until the process is in the middle of transferring contents."""
    until = time.monotonic() + 60
    while not any(one.method == method and BLOBS in one.path for one in proxy.seen):
        assert time.monotonic() < until
        time.sleep(0.01)


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C, and again where the first was lost: Python drops one that falls in a callback.

    The server answers after an hour: whoever waits for it is not back in time.
    """
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=10)
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=30)


@ON_MOTO
def test_ctrl_c_in_the_middle_of_a_pull(
    proxied: Objects, proxied_address: str, proxy: Any, fault: Any, write_files: Write, pull: Pull
):
    publish(proxied, write_files({"large": os.urandom(PART_BYTES + 5)}), name="digits")
    proxy.seen.clear()
    proxy.plan = lambda request: fault(seconds=3600.0) if BLOBS in request.path else None
    process = start("-m", "kdtasks", "pull", "digits", "--store", proxied_address)
    wait_for_request(proxy, "GET")
    output, errors = interrupt(process)
    assert (process.returncode, output) == (130, "")
    assert errors.splitlines()[-1] == "interrupted; the same command resumes from here"
    assert "Traceback" not in errors
    proxy.plan = lambda request: None
    assert pull(proxied, "digits").version.number == 1


@ON_MOTO
def test_ctrl_c_in_the_middle_of_a_publish(
    proxied: Objects,
    proxied_address: str,
    proxy: Any,
    fault: Any,
    write_files: Write,
    tmp_path: Path,
):
    folder = write_files({"large": os.urandom(3 * PART_BYTES)})
    proxy.plan = lambda request: fault(seconds=3600.0) if "partNumber=2" in request.path else None
    process = start("-c", PUBLISH, proxied_address, str(folder))
    wait_for_request(proxy, "PUT")
    interrupt(process)
    assert process.returncode != 0
    assert list_models(proxied) == []
    assert list(proxied.list(BLOBS)) == []
    proxy.plan = lambda request: None
    publish(proxied, folder, name="digits")


@pytest.mark.parametrize(("server", "seed"), [("moto", 0), ("ceph", 1)], indirect=["server"])
def test_publishers_and_pullers_killed_at_any_moment(
    proxied: Objects,
    proxied_address: str,
    proxy: Any,
    fault: Any,
    write_files: Write,
    pull: Pull,
    tmp_path: Path,
    seed: int,
):
    dice = random.Random(seed)
    proxy.plan = lambda request: fault(seconds=dice.uniform(0.0, 0.05))
    files = {f"{number}.txt": os.urandom(1000) for number in range(9)}
    publish(proxied, write_files({**files, "n": b"0"}), name="digits")
    for number in range(1, 4):
        folder = write_files({**files, "n": b"%d" % number, "large": os.urandom(PART_BYTES + 9)})
        target = tmp_path / "out"
        publisher = start("-c", PUBLISH, proxied_address, str(folder))
        puller = start(
            *("-m", "kdtasks", "pull", "digits", "--to", str(target)),
            *("--store", proxied_address),
        )
        time.sleep(dice.uniform(0.5, 2.5))
        for process in (publisher, puller):
            process.send_signal(signal.SIGKILL)
            process.communicate()
        seen = list_numbers(proxied, "digits")
        for visible in seen:
            pulled = pull(proxied, f"digits@{visible}", cache=f"fresh-{number}")
            assert (pulled.folder / "n").read_bytes() == b"%d" % (visible - 1)
        if target.exists():
            assert (target / "n").read_bytes() in (b"%d" % one for one in range(number + 1))
        publish(proxied, folder, name="digits")
        assert (pull(proxied, "digits", target=target).folder / "n").read_bytes() == b"%d" % number
        assert list_numbers(proxied, "digits") == list(range(1, number + 2))
