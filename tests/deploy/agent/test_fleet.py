"""Many devices side by side: own folders and ports, traffic, one table."""

from dataclasses import replace
from pathlib import Path

import pytest

from kdtasks.deploy.agent.fleet import DeviceRow, Traffic, render, rows_of, running_fleet, watch
from tests.deploy.agent.conftest import wait_until
from tests.tools.light_bundles import BRIGHT, DARK, MIDDLE


@pytest.fixture
def draw_images(tmp_path: Path) -> list[Path]:
    paths = []
    for name, content in (("a.png", DARK), ("b.png", MIDDLE), ("c.png", BRIGHT)):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    return paths


@pytest.fixture
def fleet(store, settings, release, tmp_path):
    release()
    with running_fleet(store, replace(settings, device="device"), 3, tmp_path / "fleet") as devices:
        yield devices


def test_devices_share_nothing(fleet, tmp_path):
    assert [device.name for device in fleet] == ["device-1", "device-2", "device-3"]
    assert len({device.server.port for device in fleet}) == 3
    assert sorted(path.name for path in (tmp_path / "fleet").iterdir()) == [
        "device-1",
        "device-2",
        "device-3",
    ]


def test_traffic_reaches_every_device_and_is_counted(fleet, draw_images, store):
    ports = [device.server.port for device in fleet]
    with Traffic(draw_images, ports, host="127.0.0.1", rate=100.0):
        wait_until(lambda: all(sum(device.sender.exits) >= 5 for device in fleet))
    rows = watch(fleet, [], host="127.0.0.1", rate=1.0, seconds=0.0)
    assert all(sum(row.exits) == row.answers >= 5 for row in rows)
    assert [row.sent for row in rows] == [1, 1, 1]
    assert {one.device: one.answers for one in store.telemetry()} == {
        row.device: row.answers for row in rows
    }


def test_requests_without_an_answer_are_errors(fleet, tmp_path):
    nothing = tmp_path / "nothing.png"
    nothing.write_bytes(b"nothing")
    with Traffic([nothing], [fleet[0].server.port], host="127.0.0.1", rate=100.0) as traffic:
        wait_until(lambda: traffic.errors[0] >= 3)
    assert rows_of(fleet[:1], traffic)[0].answers == 0


def test_a_roll_out_that_fails_is_seen(fleet, release):
    release(error=1.0)
    for device in fleet[:2]:
        device.agent.poll()
    rows = rows_of(fleet, None)
    assert [row.version for row in rows] == ["1", "1", "1"]
    assert [row.note for row in rows] == ["version 2 rejected", "version 2 rejected", ""]


def test_the_table_adds_up(capsys):
    from rich.console import Console

    rows = [
        DeviceRow("device-1", 4001, "1", 7, (3, 4), 1, 2, 0, ""),
        DeviceRow("device-2", 4002, "–", 0, (), 0, 0, 5, "the network is away"),
    ]
    Console(width=120).print(render(rows))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["device-1", "4001", "1", "7", "3", "4", "1", "2", "0"]
    assert "the network is away" in lines[2]
    assert lines[3].split() == ["all", "2", "7", "3", "4", "1", "2", "5"]
