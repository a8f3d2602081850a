"""What every kind of store must do: the same tests for a folder, moto and a real S3 server."""

import hashlib
import io
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from kdtasks.core.errors import StoreConflictError, StoreError, StoreMissingError
from kdtasks.deploy.store.objects import PART_BYTES, LocalFile, Objects, OnBytes


@pytest.fixture
def upload(tmp_path: Path) -> Callable[..., LocalFile]:
    """Give a function that uploads bytes under a key."""

    def send(objects: Objects, key: str, data: bytes, sha256: str | None = None) -> LocalFile:
        path = tmp_path / "source"
        path.write_bytes(data)
        digest = sha256 or hashlib.sha256(data).hexdigest()
        file = LocalFile(path, len(data), digest)
        sent: list[int] = []
        objects.upload(key, file, sent.append)
        assert sum(sent) == len(data)
        return file

    return send


def fetch(objects: Objects, key: str, on_bytes: OnBytes = lambda count: None) -> bytes:
    stream = io.BytesIO()
    objects.download(key, stream, on_bytes)
    return stream.getvalue()


def test_a_record_is_created_once(objects: Objects):
    objects.create("models/a", b"one")
    with pytest.raises(StoreConflictError, match="models/a"):
        objects.create("models/a", b"two")
    assert objects.read("models/a").data == b"one"


def test_a_record_is_replaced_only_in_the_state_it_was_read_in(objects: Objects):
    objects.create("models/a", b"one")
    first = objects.read("models/a")
    objects.replace("models/a", b"two", first.tag)
    with pytest.raises(StoreConflictError):
        objects.replace("models/a", b"three", first.tag)
    assert objects.read("models/a").data == b"two"
    objects.replace("models/a", b"three", objects.read("models/a").tag)
    assert objects.read("models/a").data == b"three"


def test_what_is_not_there_is_not_replaced(objects: Objects):
    objects.create("models/a", b"one")
    tag = objects.read("models/a").tag
    objects.delete("models/a")
    with pytest.raises(StoreConflictError):
        objects.replace("models/a", b"two", tag)
    with pytest.raises(StoreMissingError, match="models/a is not in"):
        objects.read("models/a")


@pytest.mark.parametrize(
    "address", ["folder", pytest.param("ceph", marks=pytest.mark.slow)], indirect=True
)
def test_of_many_who_write_at_once_one_wins(objects: Objects):
    """Not on moto, which checks and writes in two steps."""
    won: list[int] = []

    def create(number: int) -> None:
        try:
            objects.create("models/contested", b"%d" % number)
        except StoreConflictError:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert objects.read("models/contested").data == b"%d" % won[0]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 5])
def test_what_goes_up_comes_down(objects: Objects, upload: Callable[..., LocalFile], size: int):
    data = (b"%d" % size + b"-abcdefg" * (size // 8 + 1))[:size]
    upload(objects, "blobs/a", data)
    entry = objects.stat("blobs/a")
    assert entry is not None
    assert (entry.key, entry.size) == ("blobs/a", size)
    received: list[int] = []
    assert fetch(objects, "blobs/a", received.append) == data
    assert sum(received) == size


def test_a_file_that_changes_while_it_is_sent_is_refused(objects: Objects, tmp_path: Path):
    for size in (10, PART_BYTES + 10):
        path = tmp_path / "source"
        path.write_bytes(b"a" * size)
        file = LocalFile(path, size, hashlib.sha256(b"b" * size).hexdigest())
        with pytest.raises(StoreError, match="was changed while it was being published"):
            objects.upload("blobs/a", file, lambda count: None)
        assert objects.stat("blobs/a") is None


def test_listing_gives_keys_below_a_prefix(objects: Objects):
    for key in ("models/a/versions/1.json", "models/a/aliases/x.json", "models/b/versions/1.json"):
        objects.create(key, key.encode())
    assert sorted(entry.key for entry in objects.list("models/a/")) == [
        "models/a/aliases/x.json",
        "models/a/versions/1.json",
    ]
    assert [entry.size for entry in objects.list("models/b/")] == [24]
    assert list(objects.list("models/c/")) == []


def test_deleting_twice_is_no_error(objects: Objects):
    objects.create("models/a", b"one")
    objects.delete("models/a")
    objects.delete("models/a")
    assert objects.stat("models/a") is None


def test_dates_are_by_the_clock_that_now_gives(objects: Objects, upload: Callable[..., LocalFile]):
    upload(objects, "blobs/a", b"content")
    entry = objects.stat("blobs/a")
    assert entry is not None
    assert abs(objects.now() - entry.modified) < timedelta(minutes=1)
    objects.touch("blobs/a")
    touched = objects.stat("blobs/a")
    assert touched is not None
    assert touched.modified >= entry.modified
    assert fetch(objects, "blobs/a") == b"content"


def test_what_is_not_there_is_not_dated(objects: Objects):
    with pytest.raises(StoreMissingError):
        objects.touch("blobs/none")
    with pytest.raises(StoreMissingError):
        fetch(objects, "blobs/none")


def test_stores_are_told_apart(
    objects: Objects, open_store: Callable[[str], Objects], address: str
):
    assert open_store(address).identity == objects.identity
    assert open_store(f"{address}-2").identity != objects.identity
