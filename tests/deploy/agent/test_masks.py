"""Agents and fleets of masks: answers are counted by exit and by an image's mean confidence."""

from dataclasses import replace
from pathlib import Path

import pytest

from kdtasks.deploy.agent.fleet import Traffic, running_fleet, watch
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import parse_address
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from tests.deploy.agent.conftest import Store, wait_until
from tests.tools.light_bundles import png_of
from tests.tools.segmentation_bundles import write_colour_bundle

PHOTO = png_of(200, (30, 20))  # grey: red, the first of three equal channels


@pytest.fixture
def masks(store: Store, colour_models: tuple[bytes, bytes], tmp_path: Path) -> Store:
    """A store whose production tells masks."""
    bundle = write_colour_bundle(tmp_path / "bundle", colour_models[0])
    objects = open_objects(parse_address(str(store.root)))
    published = publish(objects, bundle, name="light", signing_key=None)
    AliasMover(objects, "light", "production").advance(published.found)
    return store


def test_an_agent_serves_masks_and_tells_of_them(masks: Store, start, ask):
    device = start()
    for _ in range(3):
        answer = ask(device, PHOTO).json()
        assert answer["classes"]["red"]["pixels"] == 600
        assert answer["model"]["version"] == 1
    device.sender.write()
    assert device.sender.send()
    (told,) = masks.telemetry()
    assert told.exits == (3,)
    # each of three equal channels has a third of the probability
    assert told.confidences == (0, 0, 0, 3, 0, 0, 0, 0, 0, 0)
    assert sum(told.latencies or ()) == 3


def test_a_fleet_shows_masks_as_it_shows_classes(masks: Store, settings, tmp_path: Path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(PHOTO)
    own = replace(settings, device="device")
    with running_fleet(masks, own, 2, tmp_path / "fleet") as devices:
        ports = [device.server.port for device in devices]
        with Traffic([photo], ports, host="127.0.0.1", rate=100.0):
            wait_until(lambda: all(sum(device.sender.exits) >= 2 for device in devices))
        rows = watch(devices, [], host="127.0.0.1", rate=1.0, seconds=0.0)
    assert all(row.exits == (row.answers,) and row.errors == 0 for row in rows)
