"""Stores to test with: a folder, moto's imitation of S3, and a real S3 server, Ceph's gateway."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import parse_address, parse_reference
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import PublishResult, publish
from kdtasks.deploy.store.pull import Puller, PullResult
from kdtasks.deploy.store.records import FoundVersion
from kdtasks.deploy.store.signing import SigningKey, load_signing_key, write_new_keys
from tests.tools.s3_servers import BUCKET, SETTINGS


@pytest.fixture(autouse=True)
def isolated_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the user's credentials nor the user's cache reach these tests."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "KDTASKS_"))]:
        monkeypatch.delenv(name)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KDTASKS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session", autouse=True)
def quick_clients() -> Iterator[None]:
    """botocore reads its descriptions of services once, not for every client."""
    import botocore.session

    loader = botocore.session.create_loader(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda path: loader)
        yield


FILES = {"model.tflite": b"model", "labels.txt": b"a\nb\n", "more/notes.txt": b""}
REAL = pytest.param("ceph", marks=pytest.mark.slow)


@pytest.fixture(params=["moto", REAL])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Endpoint of an S3 server, which boto3 uses from here on."""
    endpoint: str = request.getfixturevalue(f"{request.param}_endpoint")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return endpoint


@pytest.fixture(params=["folder", "moto", REAL])
def address(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Address of an empty store of each kind."""
    if request.param == "folder":
        return str(tmp_path / "store")
    endpoint = request.getfixturevalue(f"{request.param}_endpoint")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def folder_address(tmp_path: Path) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def open_store() -> Callable[[str], Objects]:
    """Open a store as a process of its own would; it is made if it is a folder."""

    def open_it(address: str) -> Objects:
        objects = open_objects(parse_address(address))
        objects.check_conditions()
        return objects

    return open_it


@pytest.fixture
def objects(address: str, open_store: Callable[[str], Objects]) -> Objects:
    """An empty store of each kind."""
    return open_store(address)


@pytest.fixture
def folder_objects(folder_address: str, open_store: Callable[[str], Objects]) -> Any:
    """An empty store in a folder, for what does not depend on the kind."""
    return open_store(folder_address)


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a folder of files: names with `/` and their contents."""

    def write(contents: dict[str, bytes], folder: str = "bundle") -> Path:
        for name, content in contents.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / folder

    return write


@pytest.fixture
def pull(tmp_path: Path) -> Callable[..., PullResult]:
    """Give a function that pulls `name@alias` as a device with one cache does."""

    def do(objects: Objects, text: str, *, cache: str = "cache", **options: Any) -> PullResult:
        settings = {key: options.pop(key) for key in ("trusted", "progress") if key in options}
        puller = Puller(objects=objects, cache=Cache(tmp_path / cache), **settings)
        return puller.pull(parse_reference(text), **options)

    return do


@pytest.fixture(scope="session")
def signing_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[SigningKey, SigningKey]:
    """Two private keys."""
    folder = tmp_path_factory.mktemp("keys")
    pair = []
    for name in ("one.pem", "other.pem"):
        write_new_keys(folder / name)
        key = load_signing_key(str(folder / name))
        assert key is not None
        pair.append(key)
    return pair[0], pair[1]


@pytest.fixture
def publish_files(write_files: Callable[..., Path]) -> Callable[..., PublishResult]:
    """Give a function that publishes `digits` with changed files and moves `production` to it."""

    def do(
        objects: Objects, changes: dict[str, bytes] | None = None, key: SigningKey | None = None
    ) -> PublishResult:
        folder = write_files({**FILES, **(changes or {})})
        published = publish(objects, folder, name="digits", signing_key=key)
        AliasMover(objects, "digits", "production", signing_key=key).advance(published.found)
        return published

    return do


@pytest.fixture
def publish_versions(write_files: Callable[..., Path]) -> Callable[..., list[FoundVersion]]:
    """Give a function that publishes a number of versions of `digits`."""

    def do(
        objects: Objects, count: int, signing_key: SigningKey | None = None
    ) -> list[FoundVersion]:
        return [
            publish(
                objects,
                write_files({"n": b"%d" % number}),
                name="digits",
                signing_key=signing_key,
            ).found
            for number in range(count)
        ]

    return do
