import dataclasses
import os
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdtasks.core.errors import StoreConflictError, StoreError, StoreUnreachableError
from kdtasks.deploy.store import bucket_client as bucket_conditions
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store import publish as module
from kdtasks.deploy.store.address import BLOBS, parse_address
from kdtasks.deploy.store.objects import PART_BYTES, Objects
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.pull import PullResult
from kdtasks.deploy.store.records import StoredFile, fetch_version, list_numbers
from kdtasks.deploy.store.signing import SigningKey
from tests.tools.s3_servers import BUCKET

FILES = {"model.tflite": b"model", "labels.txt": b"a\nb\n", "more/notes.txt": b""}
Write = Callable[..., Path]


def blobs(objects: Objects) -> set[str]:
    return {entry.key for entry in objects.list(BLOBS)}


def test_a_folder_becomes_a_version(objects: Objects, write_files: Write):
    published = publish(objects, write_files(FILES), name="digits", about={"variant": "int8"})
    version = published.found.version
    assert published.is_new
    assert published.uploaded == 9
    assert (version.name, version.number, version.about) == ("digits", 1, {"variant": "int8"})
    assert [file.path for file in version.files] == sorted(FILES)
    assert fetch_version(objects, "digits", 1) == published.found


def test_versions_are_numbered_and_share_contents(objects: Objects, write_files: Write):
    publish(objects, write_files(FILES), name="digits")
    second = publish(objects, write_files({"labels.txt": b"a\nc\n"}), name="digits")
    assert second.found.version.number == 2
    assert second.uploaded == 4
    assert list_numbers(objects, "digits") == [1, 2]
    assert publish(objects, write_files({}), name="letters").found.version.number == 1
    assert len(blobs(objects)) == 4


def test_the_same_files_again_are_no_new_version(objects: Objects, write_files: Write):
    first = publish(objects, write_files(FILES), name="digits")
    again = publish(objects, write_files({}), name="digits")
    assert (again.is_new, again.uploaded) == (False, 0)
    assert again.found == first.found


def test_what_was_not_signed_yet_is_published_again(
    folder_objects: Objects, write_files: Write, signing_keys: tuple[SigningKey, SigningKey]
):
    for key, number in ((None, 1), (signing_keys[0], 2), (None, 2), (signing_keys[1], 3)):
        published = publish(folder_objects, write_files(FILES), name="digits", signing_key=key)
        assert published.found.version.number == number


def test_a_content_of_the_wrong_size_is_mended(
    folder_objects: Any, write_files: Write, pull: Callable[..., PullResult]
):
    publish(folder_objects, write_files(FILES), name="digits")
    for entry in folder_objects.list(BLOBS):
        (folder_objects.root / entry.key).write_bytes(b"cut")
    again = publish(folder_objects, write_files({}), name="digits")
    assert (again.is_new, again.uploaded) == (False, 9)
    assert pull(folder_objects, "digits").downloaded == 9


def test_many_contents_are_looked_up_by_listing(objects: Objects, write_files: Write):
    files = {f"{number}.txt": b"%d" % number for number in range(30)}
    assert publish(objects, write_files(files), name="digits").uploaded == 50
    files["0.txt"] = b"zero"
    assert publish(objects, write_files(files), name="digits").uploaded == 4


def test_large_files_and_small_ones(
    objects: Objects, write_files: Write, pull: Callable[..., PullResult]
):
    files = {"large": os.urandom(2 * PART_BYTES + 7), **FILES}
    published = publish(objects, write_files(files), name="digits")
    assert published.uploaded == 2 * PART_BYTES + 16
    folder = pull(objects, "digits").folder
    assert {path: (folder / path).read_bytes() for path in files} == files


@pytest.mark.parametrize("name", ["Digits", "../x", ""])
def test_a_wrong_name(folder_objects: Objects, write_files: Write, name: str):
    with pytest.raises(StoreError, match="is no name of a model"):
        publish(folder_objects, write_files(FILES), name=name)
    assert blobs(folder_objects) == set()


def test_two_publishers_at_once_lose_nothing(
    request: pytest.FixtureRequest,
    address: str,
    open_store: Callable[[str], Objects],
    write_files: Write,
):
    """Each has a client of its own, as two machines would."""
    if "moto" in request.node.callspec.id:
        pytest.skip("moto checks conditions and writes in two steps")
    count = 6
    folders = [write_files({"n": b"%d" % n}, folder=f"bundle-{n}") for n in range(count)]
    stores = [open_store(address) for _ in range(count)]
    start = threading.Barrier(count)
    numbers: dict[int, int] = {}

    def run(n: int) -> None:
        start.wait()
        numbers[n] = publish(stores[n], folders[n], name="digits").found.version.number

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers.values()) == list(range(1, count + 1))
    for n, number in numbers.items():
        (file,) = fetch_version(stores[0], "digits", number).version.files
        assert stores[0].read(f"{BLOBS}{file.sha256}").data == b"%d" % n


def test_numbers_that_are_always_taken(
    folder_objects: Any, write_files: Write, monkeypatch: pytest.MonkeyPatch
):
    def taken(*_: object) -> None:
        raise StoreConflictError

    monkeypatch.setattr(folder_objects, "create", taken)
    with pytest.raises(StoreConflictError, match="100 numbers for digits were all taken"):
        publish(folder_objects, write_files(FILES), name="digits")


def test_a_store_cannot_be_made_where_nothing_is(
    tmp_path: Path, open_store: Callable[[str], Objects]
):
    """A share that is not mounted must not become a folder on the own disk."""
    with pytest.raises(StoreUnreachableError, match="mount it or create it first"):
        open_store(str(tmp_path / "unmounted" / "store"))


def test_a_server_that_does_not_heed_conditions_is_refused(
    server: str, write_files: Write, monkeypatch: pytest.MonkeyPatch
):
    """That turns out while contents are being sent; nothing that can be seen has been written."""
    monkeypatch.setattr(bucket_conditions, "_FORMS", ("no form of {tag}",))
    refused = open_objects(parse_address(f"s3://{BUCKET}/{uuid.uuid4().hex}"))
    with pytest.raises(StoreError, match="ignores conditional writes, so that two publ"):
        publish(refused, write_files(FILES), name="digits")
    assert list(refused.list("models/")) == []
    assert list(refused.list("probes/")) == []


def test_old_contents_are_dated_anew_before_they_are_relied_on(
    folder_objects: Any, write_files: Write
):
    publish(folder_objects, write_files(FILES), name="digits")
    old = (folder_objects.now() - module.GRACE * 0.6).timestamp()
    for entry in folder_objects.list(BLOBS):
        os.utime(folder_objects.root / entry.key, (old, old))
    assert publish(folder_objects, write_files({}), name="letters").uploaded == 0
    for entry in folder_objects.list(BLOBS):
        assert folder_objects.now() - entry.modified < timedelta(minutes=1)


def test_contents_that_gc_took_behind_its_back_are_sent_again(
    folder_objects: Any,
    write_files: Write,
    monkeypatch: pytest.MonkeyPatch,
    pull: Callable[..., PullResult],
):
    publish(folder_objects, write_files(FILES), name="digits")
    for entry in folder_objects.list(BLOBS):
        os.utime(folder_objects.root / entry.key, (0, 0))
    create = folder_objects.create

    def create_late(key: str, data: bytes) -> None:
        for entry in list(folder_objects.list(BLOBS)):
            folder_objects.delete(entry.key)
        create(key, data)

    monkeypatch.setattr(folder_objects, "create", create_late)
    publish(folder_objects, write_files({}), name="letters")
    assert pull(folder_objects, "letters").downloaded == 9


def test_a_slow_publisher_looks_again(
    folder_objects: Any, write_files: Write, monkeypatch: pytest.MonkeyPatch
):
    """What it sent first may have become old meanwhile."""
    clock = iter([0.0, 100_000.0, 100_000.0, 100_001.0])
    own_time = SimpleNamespace(monotonic=lambda: next(clock, 200_000.0))  # of no other thread
    monkeypatch.setattr(module, "time", own_time)
    looked: list[int] = []
    look = module._look

    def counted(*arguments: Any) -> Any:
        looked.append(1)
        return look(*arguments)

    monkeypatch.setattr(module, "_look", counted)
    publish(folder_objects, write_files(FILES), name="digits")
    assert len(looked) == 2


def test_the_manifest_names_what_was_hashed(folder_objects: Objects, write_files: Write):
    published = publish(folder_objects, write_files({"a": b"abc"}), name="digits")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert published.found.version.files == (StoredFile("a", 3, sha256),)
    assert dataclasses.asdict(published.found.version)["number"] == 1
