"""Telemetry on the disk: whole files, a bound, and each batch in the store just once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kdtasks.core.errors import StoreUnreachableError
from kdtasks.deploy.agent.telemetry import TelemetrySpool
from kdtasks.edge.telemetry import read_telemetry
from tests.deploy.agent.conftest import wait_until

# writes batches as fast as it can, until it is killed
WRITER = """
import sys
from pathlib import Path
from kdtasks.deploy.agent.telemetry import TelemetrySpool
from kdtasks.edge.telemetry import Telemetry
summary = Telemetry(model="light", sha256="ab", begun="a", ended="b", exits=(5000, 1),
                    confidences=(5001, *[0] * 9))
spool = TelemetrySpool(Path(sys.argv[1]), most=40)
while True:
    spool.add(summary.to_line() * 200)
"""


def test_the_oldest_are_dropped_first_and_it_is_said(tmp_path: Path, caplog):
    spool = TelemetrySpool(tmp_path, most=3)
    dropped = []
    for number in range(5):
        spool.add(f"{number}\n")
        dropped.append(spool.dropped)
    assert dropped == [0, 0, 0, 1, 2]
    assert caplog.text.count("1 old batches of telemetry were dropped") == 2
    assert [path.read_text() for path in spool.waiting()] == ["2\n", "3\n", "4\n"]


def test_batches_go_in_their_order_and_once(tmp_path: Path, store):
    spool = TelemetrySpool(tmp_path / "spool")
    for number in range(3):
        spool.add(f"{number}\n")
    first = spool.waiting()[0]
    content = first.read_bytes()
    assert spool.send(store, name="light", device="d") == 3
    assert spool.waiting() == []
    first.write_bytes(content)  # the store had taken it, and the process died before it knew
    assert spool.send(store, name="light", device="d") == 1
    sent = sorted((store.root / "telemetry/light/d").iterdir())
    assert [path.read_text() for path in sent] == ["0\n", "1\n", "2\n"]


def test_what_the_store_does_not_take_stays(tmp_path: Path, store):
    spool = TelemetrySpool(tmp_path / "spool")
    spool.add("0\n")
    store.is_away = True
    with pytest.raises(StoreUnreachableError):
        spool.send(store, name="light", device="d")
    assert len(spool.waiting()) == 1
    assert spool.sent == 0


@pytest.mark.parametrize("attempt", range(3))
def test_a_writer_that_is_killed_leaves_whole_batches_only(tmp_path: Path, store, attempt: int):
    folder = tmp_path / "spool"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)]) as writer:
        wait_until(lambda: len(list(folder.glob("*.jsonl"))) >= 5 * (attempt + 1))
        os.kill(writer.pid, signal.SIGKILL)
    spool = TelemetrySpool(folder)
    assert all(path.suffix == ".jsonl" for path in folder.iterdir())
    count = len(spool.waiting())
    for path in spool.waiting():
        assert [summary.answers for summary in read_telemetry(path)] == [5001] * 200
    assert spool.send(store, name="light", device="d") == count
    assert len(store.telemetry()) == 200 * count
