"""A server on a real socket, in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from kdtasks.deploy.serve.application import make_application
from kdtasks.deploy.serve.server import Server
from kdtasks.deploy.serve.service import Release, Service, load_release
from tests.tools.light_bundles import light_model, write_light_bundle

__all__ = ["light_model"]  # a fixture

THREADS = 2


class Running(NamedTuple):
    """A server that answers."""

    url: str
    port: int
    service: Service
    release: Release


@pytest.fixture
def bundle(light_model: bytes, tmp_path: Path) -> Path:
    return write_light_bundle(tmp_path / "bundle", light_model)


@pytest.fixture
def serve(bundle: Path) -> Iterator[Callable[..., Running]]:
    """Give a function that starts a server; all end with the test."""
    ends: list[Callable[[], None]] = []

    def start(*, max_bytes: int = 100_000, **options: Any) -> Running:
        release = load_release(bundle, threads=THREADS)
        service = Service(release, threads=THREADS)
        application = make_application(service, max_bytes=max_bytes, **options)
        server = Server(application, host="127.0.0.1", port=0)
        ends.extend([service.close, server.stop])
        server.start()
        return Running(f"http://127.0.0.1:{server.port}", server.port, service, release)

    yield start
    for end in reversed(ends):
        end()


@pytest.fixture
def post() -> Callable[..., httpx.Response]:
    """Give a function that sends an image over a connection of its own."""

    def send(url: str, content: Any, **options: Any) -> httpx.Response:
        with httpx.Client(trust_env=False, verify=False, timeout=60) as client:
            return client.post(f"{url}/predict", content=content, **options)

    return send
