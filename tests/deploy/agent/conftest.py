"""Devices in this process, with a store in a folder that can be cut off."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from kdtasks.core.errors import StoreUnreachableError
from kdtasks.deploy.agent.device import Device
from kdtasks.deploy.agent.settings import DeviceSettings
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import Reference, parse_address
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.signing import SigningKey
from kdtasks.edge.telemetry import Telemetry, read_telemetry
from tests.tools.light_bundles import light_model, write_light_bundle

__all__ = ["light_model"]  # a fixture

LONG = 3600.0  # seconds: whatever happens in a test, the test makes it happen


class Store:
    """A store whose network can be cut, and that counts what it is asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects = open_objects(parse_address(str(root)))
        self._objects.check_conditions()
        self.identity = self._objects.identity
        self.is_away = False
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if self.is_away:
            raise StoreUnreachableError("the network is away")
        self.asked.append(name)
        return getattr(self._objects, name)

    def telemetry(self) -> list[Telemetry]:
        """Read all that devices have sent, as `kdtasks drift` does."""
        files = sorted(self.root.glob("telemetry/light/*/*.jsonl"))
        return [summary for path in files for summary in read_telemetry(path)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def release(store: Store, light_model: bytes, tmp_path: Path) -> Callable[..., int]:
    """Give a function that publishes a version and moves `production` to it."""

    def do(key: SigningKey | None = None, *, model: bytes = light_model, **changes: Any) -> int:
        bundle = write_light_bundle(
            tmp_path / "bundle", light_model, sha256=sha256(model).hexdigest(), **changes
        )
        (bundle / "model.tflite").write_bytes(model)
        objects = open_objects(parse_address(str(store.root)))
        published = publish(objects, bundle, name="light", signing_key=key)
        AliasMover(objects, "light", "production", key).advance(published.found)
        return published.found.version.number

    return do


@pytest.fixture
def settings(tmp_path: Path) -> DeviceSettings:
    return DeviceSettings(
        reference=Reference("light", "production"),
        state=tmp_path / "state",
        cache=tmp_path / "cache",
        device="device-1",
        port=0,
        interval=LONG,
        telemetry_interval=LONG,
    )


@pytest.fixture
def start(store: Store, settings: DeviceSettings) -> Iterator[Callable[[], Device]]:
    """Give a function that starts a device; it ends with the test."""
    with ExitStack() as running:

        def do() -> Device:
            device = running.enter_context(Device(store, settings))
            device.server.start()
            return device

        yield do


@pytest.fixture
def ask() -> Callable[..., httpx.Response]:
    """Give a function that sends an image, or asks for a path, over a connection of its own."""

    def do(device: Device, image: bytes | None = None, path: str = "health") -> httpx.Response:
        url = f"http://127.0.0.1:{device.server.port}"
        with httpx.Client(trust_env=False, verify=False, timeout=60) as client:
            if image is None:
                return client.get(f"{url}/{path}")
            return client.post(f"{url}/predict", content=image)

    return do


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that has to come; the test's own limit ends the wait."""
    while not condition():
        time.sleep(0.01)
