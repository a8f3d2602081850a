"""An agent's telemetry: every answer counted once, kept without a network, told by version."""

from kdtasks.deploy.agent.device import Device
from kdtasks.edge.telemetry import read_telemetry
from tests.tools.light_bundles import BRIGHT, DARK, MIDDLE


def test_telemetry_counts_every_answer_once(start, release, store, ask):
    release()
    device = start()
    for image in (DARK, MIDDLE, MIDDLE, BRIGHT):
        ask(device, image)
    ask(device, b"no image")
    device.sender.write()
    assert device.sender.send()
    assert device.sender.send()
    (summary,) = store.telemetry()
    assert summary.exits == (2, 2)
    assert (summary.answers, sum(summary.latencies or ())) == (4, 4)
    assert (summary.device, summary.version, summary.rejected) == ("device-1", 1, None)
    assert summary.sha256 == ask(device).json()["model"]["sha256"]


def test_telemetry_waits_for_the_network(start, release, store, settings, ask, caplog):
    caplog.set_level("INFO")
    release()
    device = start()
    store.is_away = True
    for _ in range(3):
        assert ask(device, DARK).status_code == 200
        device.sender.write()
        assert not device.sender.send()
    assert caplog.text.count("telemetry waits on the disk: the network is away") == 1
    assert ask(device).json()["telemetry_problem"] == "the network is away"
    waiting = sorted((settings.state / "spool").glob("*.jsonl"))
    assert [read_telemetry(path)[0].answers for path in waiting] == [1, 1, 1]
    assert store.telemetry() == []
    store.is_away = False
    assert device.sender.send()
    assert sum(one.answers for one in store.telemetry()) == 3
    assert device.spool.waiting() == []
    assert "telemetry reaches the store again" in caplog.text
    assert ask(device).json()["telemetry_problem"] is None


def test_what_was_counted_is_sent_at_the_end(store, settings, release, ask):
    release()
    with Device(store, settings) as device:
        device.server.start()
        ask(device, DARK)
    assert [one.answers for one in store.telemetry()] == [1]


def test_answers_of_both_versions_are_told_apart(start, release, store, ask):
    release()
    device = start()
    ask(device, DARK)
    release(variant="int8")
    device.agent.poll()
    ask(device, DARK)
    ask(device, DARK)
    device.sender.write()
    device.sender.send()
    assert {one.version: one.answers for one in store.telemetry()} == {1: 1, 2: 2}
