"""An agent follows its alias: swaps under load, takes back what fails, lives without a network."""

import dataclasses
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from kdtasks.core.errors import IntegrityError, ServingError, StoreMissingError
from kdtasks.deploy.agent.device import Device
from kdtasks.deploy.agent.state import DeviceState
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.signing import load_public_keys, load_signing_key, write_new_keys
from tests.tools.light_bundles import DARK, with_operator


def test_a_device_serves_what_the_alias_stands_for(start, release, ask):
    assert release() == 1
    device = start()
    answer = ask(device, DARK).json()
    assert (answer["label"], answer["model"]["version"]) == ("dark", 1)
    health = ask(device).json()
    assert (health["status"], health["follows"]) == ("ok", "light@production")
    assert (health["rejected"], health["store_problem"]) == (None, None)


def test_an_unchanged_poll_costs_one_request(start, release, store):
    release()
    device = start()
    store.asked.clear()
    assert device.agent.poll()
    assert store.asked == ["read"]


def test_a_swap_under_load_loses_no_request(start, release, ask):
    """Every answer is wholly of one version: the second calls dark what the first calls bright."""
    release()
    device = start()
    is_swapped = threading.Event()
    answers = []

    def load() -> None:
        after = 0
        while after < 5:  # answers that are asked for once the swap is done
            after += is_swapped.is_set()
            answers.append(ask(device, DARK))

    with ThreadPoolExecutor(4) as clients:
        loads = [clients.submit(load) for _ in range(4)]
        while len(answers) < 20:
            is_swapped.wait(0.01)
        release(class_names=("bright", "dark"))
        assert device.agent.poll()
        is_swapped.set()
        for one in loads:
            one.result()
    assert {answer.status_code for answer in answers} == {200}
    found = {(answer.json()["model"]["version"], answer.json()["label"]) for answer in answers}
    assert found == {(1, "dark"), (2, "bright")}
    assert [answer.json()["model"]["version"] for answer in answers[-4:]] == [2] * 4


def test_a_version_that_fails_its_self_test_is_taken_back(start, release, ask, store, caplog):
    release()
    device = start()
    release(error=1.0)
    assert device.agent.poll()
    answer = ask(device, DARK).json()
    assert (answer["label"], answer["model"]["version"]) == ("dark", 1)
    rejected = ask(device).json()["rejected"]
    assert rejected["version"] == 2
    assert "the self-test fails at image 0, exit 0" in rejected["reason"]
    assert "version 2 was rejected (the self-test fails" in caplog.text
    assert "version 1 stays in service" in caplog.text
    assert "kdtasks_model_rejected 1.0" in ask(device, path="metrics").text
    device.sender.write()
    assert device.sender.send()
    assert [one.rejected for one in store.telemetry()] == [rejected]
    # it is not tried again and again, and a third version that is well ends it
    caplog.clear()
    assert device.agent.poll()
    assert "rejected" not in caplog.text
    assert release(variant="int8") == 3
    assert device.agent.poll()
    health = ask(device).json()
    assert (health["rejected"], health["model"]["version"]) == (None, 3)


def test_a_version_that_does_not_load_is_taken_back(start, release, ask):
    release()
    device = start()
    release(thresholds=(0.1, 0.2))
    assert device.agent.poll()
    health = ask(device).json()
    assert health["model"]["version"] == 1
    assert "names 2 segments and 2 thresholds" in health["rejected"]["reason"]


def test_a_version_that_may_never_answer_is_taken_back(start, release, ask, light_model):
    release()
    device = start()
    release(model=with_operator(light_model, "WHILE"))
    assert device.agent.poll()
    health = ask(device).json()
    assert health["model"]["version"] == 1
    assert "holds the operator WHILE, so it may never answer" in health["rejected"]["reason"]
    assert ask(device, DARK).json()["label"] == "dark"


def test_a_version_that_ended_the_process_twice_is_taken_back(store, settings, release, ask):
    release()
    with Device(store, settings) as device:
        kept = DeviceState(settings.state).kept()
        release(variant="int8")
        pulled = device.agent._puller.pull(settings.reference)
        for _ in range(2):  # a process that dies in between leaves just this
            assert DeviceState(settings.state).begin(pulled.folder.name)
    with Device(store, settings) as device:
        device.server.start()
        assert ask(device, DARK).json()["model"]["version"] == 1
        rejected = ask(device).json()["rejected"]
        assert rejected["version"] == 2
        assert "the process ended while it was being loaded, more than once" in rejected["reason"]
        assert DeviceState(settings.state).kept() == kept


def test_an_alias_that_is_rolled_back_ends_the_rejection(start, release, ask, store):
    release()
    device = start()
    release(error=1.0)
    device.agent.poll()
    AliasMover(store, "light", "production").rollback()
    assert device.agent.poll()
    health = ask(device).json()
    assert (health["rejected"], health["model"]["version"]) == (None, 1)


def test_a_restart_serves_what_worked_if_the_newest_does_not(store, settings, release, ask):
    """Even where two bad versions have pushed the good one out of the cache."""
    release()
    with Device(store, settings) as device:
        for number in (2, 3):
            assert release(error=float(number)) == number
            device.agent.poll()
    with Device(store, settings) as device:
        device.server.start()
        assert ask(device, DARK).json()["model"]["version"] == 1
        assert ask(device).json()["rejected"]["version"] == 3


@pytest.mark.parametrize("name", ["manifest.json", "model.tflite"])
def test_a_kept_release_that_the_disk_damaged_gives_way_to_the_one_before(
    store, settings, release, ask, name: str
):
    for class_names in (("dark", "bright"), ("dim", "bright")):
        release(class_names=class_names)
        with Device(store, settings):
            pass
    shutil.rmtree(settings.cache)
    newest, _ = DeviceState(settings.state).kept()
    (newest.folder / name).write_bytes(b"\x00\xff not what it was")
    store.is_away = True
    with Device(store, settings) as device:
        device.server.start()
        assert ask(device, DARK).json()["model"]["version"] == 1
        store.is_away = False
        assert device.agent.poll()  # it is fetched again
        assert ask(device, DARK).json()["model"]["version"] == 2
        assert [one.number for one in DeviceState(settings.state).kept()] == [2, 1]
    told = [summary.rejected for summary in store.telemetry() if summary.rejected]
    assert told
    assert told[0]["version"] == 2
    assert told[0]["reason"].startswith("damaged here: ")


@pytest.mark.parametrize("is_cache_lost", [False, True])
def test_a_start_without_a_network(store, settings, release, ask, is_cache_lost: bool):
    release()
    with Device(store, settings):
        pass
    if is_cache_lost:
        shutil.rmtree(settings.cache)
    store.is_away = True
    with Device(store, settings) as device:
        device.server.start()
        assert ask(device, DARK).json()["model"]["version"] == 1
        assert "the network is away" in ask(device).json()["store_problem"]
        assert not device.agent.poll()
        store.is_away = False
        assert device.agent.poll()
        assert ask(device).json()["store_problem"] is None


def test_a_first_start_without_a_network_waits_for_a_model(start, store, release, ask):
    release()
    store.is_away = True
    device = start()
    assert ask(device).status_code == 503
    assert ask(device).json()["status"] == "waiting for a model"
    refused = ask(device, DARK)
    assert (refused.status_code, refused.json()) == (
        503,
        {"error": "there is no model yet; try again later"},
    )
    store.is_away = False
    assert device.agent.poll()
    assert ask(device, DARK).status_code == 200


def test_a_wrong_name_ends_the_start(start, store):
    with pytest.raises(StoreMissingError, match="light has no alias production"):
        start()


def test_what_is_forged_is_not_taken(start, release, store, ask):
    release()
    device = start()
    path = store.root / "models/light/aliases/production.json"
    path.write_text(path.read_text().replace('"manifest_sha256": "', '"manifest_sha256": "0'))
    assert not device.agent.poll()
    assert "is not the manifest that" in ask(device).json()["store_problem"]
    assert ask(device, DARK).json()["model"]["version"] == 1


def test_signatures_are_asked_for(store, settings, release, tmp_path):
    write_new_keys(tmp_path / "key.pem")
    trusted = load_public_keys(str(tmp_path / "key.pub.pem"))
    release()
    device = Device(store, dataclasses.replace(settings, trusted=trusted))
    with pytest.raises(IntegrityError, match="not signed"), device:
        pass


@pytest.fixture
def signed(settings, tmp_path):
    """A device that holds a public key, and the private one."""
    write_new_keys(tmp_path / "key.pem")
    trusted = load_public_keys(str(tmp_path / "key.pub.pem"))
    return dataclasses.replace(settings, trusted=trusted), load_signing_key(
        str(tmp_path / "key.pem")
    )


def test_an_expired_alias_is_a_problem_and_no_end(signed, release, store, ask):
    settings, key = signed
    release(key=key)
    mover = AliasMover(store, "light", "production", key, lifetime=timedelta(days=1))
    mover.promote(1)
    with Device(store, settings) as device:
        device.server.start()
        store.asked.clear()
        assert device.agent.poll()
        assert store.asked == ["read"]  # with a key, too
        dataclasses.replace(mover, lifetime=timedelta(microseconds=1)).promote(1)
        assert not device.agent.poll()
        assert "light@production expired at" in ask(device).json()["store_problem"]
        assert ask(device, DARK).json()["model"]["version"] == 1
    with Device(store, settings) as device:  # nor for one that starts
        device.server.start()
        assert ask(device, DARK).json()["model"]["version"] == 1
        mover.promote(1)
        assert device.agent.poll()


def test_no_two_agents_share_a_folder(start, release, store, settings):
    release()
    start()
    second = Device(store, settings)
    with (
        pytest.raises(ServingError, match=r"another agent uses .*; stop it, or give another"),
        second,
    ):
        pass
