import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import IntegrityError, StoreError, StoreMissingError
from kdtasks.deploy.store.address import BLOBS, version_key
from kdtasks.deploy.store.catalogue import collect
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.pull import PullResult
from kdtasks.deploy.store.records import list_numbers

NOW = timedelta(seconds=-5)  # everything is older than that
Write = Callable[..., Path]
Pull = Callable[..., PullResult]


@pytest.fixture
def publish_versions(write_files: Write) -> Callable[[Objects, int], None]:
    """Give a function that publishes versions with one file of their own and one they share."""

    def do(objects: Objects, count: int) -> None:
        for number in range(count):
            folder = write_files({"n": b"number %d" % number, "same": b"shared"})
            publish(objects, folder, name="digits")

    return do


Publish = Callable[[Objects, int], None]


def blobs(objects: Objects) -> int:
    return len(list(objects.list(BLOBS)))


def age(objects: Any, hours: float = 48.0) -> None:
    """Make everything in a folder's store older."""
    for path in objects.root.rglob("*"):
        if path.is_file():
            modified = path.stat().st_mtime - hours * 3600
            os.utime(path, (modified, modified))


def test_old_versions_go_and_the_newest_stay(
    objects: Objects, publish_versions: Publish, pull: Pull
):
    publish_versions(objects, 5)
    planned = collect(objects, keep=2, grace=NOW, is_dry=True)
    assert (planned.versions, planned.blobs, planned.bytes) == (
        [("digits", 1), ("digits", 2), ("digits", 3)],
        3,
        24,
    )
    assert list_numbers(objects, "digits") == [1, 2, 3, 4, 5]
    done = collect(objects, keep=2, grace=NOW)
    assert done[:3] == planned[:3]
    assert list_numbers(objects, "digits") == [4, 5]
    assert blobs(objects) == 3
    for number in (4, 5):
        pull(objects, f"digits@{number}")
    assert collect(objects, keep=2, grace=NOW)[:3] == ([], 0, 0)


def test_what_aliases_need_stays(objects: Objects, publish_versions: Publish, pull: Pull):
    publish_versions(objects, 6)
    AliasMover(objects, "digits", "production").promote(1)
    AliasMover(objects, "digits", "production").promote(3)
    AliasMover(objects, "digits", "canary").promote(4)
    collect(objects, keep=1, grace=NOW)
    assert list_numbers(objects, "digits") == [1, 3, 4, 6]
    assert pull(objects, "digits@production").version.number == 3
    AliasMover(objects, "digits", "production").rollback()
    assert pull(objects, "digits@production").version.number == 1
    assert pull(objects, "digits@canary").version.number == 4


def test_what_is_younger_than_the_grace_age_stays(objects: Objects, publish_versions: Publish):
    publish_versions(objects, 3)
    objects.create(f"{BLOBS}{'0' * 64}", b"of a publisher that is in the middle")
    assert collect(objects, keep=1)[:3] == ([], 0, 0)
    assert list_numbers(objects, "digits") == [1, 2, 3]
    assert blobs(objects) == 5


def test_contents_that_nobody_names_go(objects: Objects, publish_versions: Publish):
    publish_versions(objects, 1)
    objects.create(f"{BLOBS}{'0' * 64}", b"of a publisher that was killed")
    done = collect(objects, keep=1, grace=NOW)
    assert (done.blobs, done.bytes) == (1, 30)
    assert blobs(objects) == 2


def test_numbers_are_never_used_again(folder_objects: Objects, publish_versions: Publish):
    publish_versions(folder_objects, 3)
    collect(folder_objects, keep=1, grace=NOW)
    publish_versions(folder_objects, 1)
    assert list_numbers(folder_objects, "digits") == [3, 4]


def test_at_least_the_newest_version_stays(folder_objects: Objects):
    with pytest.raises(StoreError, match="keep is 0; at least the newest version has to stay"):
        collect(folder_objects, keep=0)


def test_nothing_is_deleted_where_a_record_is_damaged(
    folder_objects: Any, publish_versions: Publish
):
    """What it names is not known, so nothing is known to be needed by nobody."""
    publish_versions(folder_objects, 3)
    (folder_objects.root / version_key("digits", 2)).write_bytes(b"{}")
    with pytest.raises(IntegrityError, match=r"versions/2\.json is damaged"):
        collect(folder_objects, keep=1, grace=NOW)
    assert list_numbers(folder_objects, "digits") == [1, 2, 3]
    assert blobs(folder_objects) == 4


def test_nothing_is_deleted_where_records_cannot_be_read(
    folder_objects: Any, publish_versions: Publish, monkeypatch: pytest.MonkeyPatch
):
    publish_versions(folder_objects, 2)
    scandir = os.scandir

    def forbidden(path: Any) -> Any:
        if str(path).endswith("versions"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(StoreError, match="may not be written or read"):
        collect(folder_objects, keep=1, grace=NOW)
    monkeypatch.undo()
    assert blobs(folder_objects) == 3


def test_a_version_promoted_meanwhile_is_put_back(
    folder_objects: Any, publish_versions: Publish, monkeypatch: pytest.MonkeyPatch, pull: Pull
):
    publish_versions(folder_objects, 3)
    delete = folder_objects.delete

    def late(key: str) -> None:
        if key == version_key("digits", 1):
            monkeypatch.setattr(folder_objects, "delete", delete)
            AliasMover(folder_objects, "digits", "production").promote(1)
        delete(key)

    monkeypatch.setattr(folder_objects, "delete", late)
    done = collect(folder_objects, keep=1, grace=NOW)
    assert done.versions == [("digits", 2)]
    assert pull(folder_objects, "digits@production").version.number == 1


def test_a_version_published_meanwhile_keeps_its_old_contents(
    folder_objects: Any,
    publish_versions: Publish,
    monkeypatch: pytest.MonkeyPatch,
    pull: Pull,
    write_files: Write,
):
    """It takes a content up that gc has just listed as old and needed by nobody."""
    publish_versions(folder_objects, 2)
    age(folder_objects)
    stat = folder_objects.stat

    def late(key: str) -> Any:
        monkeypatch.setattr(folder_objects, "stat", stat)
        publish(folder_objects, write_files({"n": b"number 0"}, folder="b"), name="letters")
        return stat(key)

    monkeypatch.setattr(folder_objects, "stat", late)
    done = collect(folder_objects, keep=1)
    assert done.versions == [("digits", 1)]
    assert done.blobs == 0
    assert pull(folder_objects, "letters").downloaded == 8


def test_a_version_published_before_contents_are_compared_is_seen(
    folder_objects: Any,
    publish_versions: Publish,
    monkeypatch: pytest.MonkeyPatch,
    pull: Pull,
    write_files: Write,
):
    publish_versions(folder_objects, 2)
    delete = folder_objects.delete

    def late(key: str) -> None:
        monkeypatch.setattr(folder_objects, "delete", delete)
        publish(folder_objects, write_files({"n": b"number 0"}, folder="b"), name="letters")
        delete(key)

    monkeypatch.setattr(folder_objects, "delete", late)
    collect(folder_objects, keep=1, grace=NOW)
    assert pull(folder_objects, "letters").downloaded == 8


def test_leftovers_of_killed_publishers_go(folder_objects: Any, publish_versions: Publish):
    publish_versions(folder_objects, 1)
    leftover = folder_objects.root / BLOBS / ".00.ab.partial"
    leftover.write_bytes(b"half")
    assert collect(folder_objects, keep=1).leftovers == 0
    age(folder_objects)
    assert collect(folder_objects, keep=1).leftovers == 1
    assert not leftover.exists()


def test_a_pull_that_gc_overtakes_says_so(
    folder_objects: Any, publish_versions: Publish, monkeypatch: pytest.MonkeyPatch, pull: Pull
):
    publish_versions(folder_objects, 2)
    download = folder_objects.download

    def late(key: str, start: int, length: int) -> Any:
        collect(folder_objects, keep=1, grace=NOW)
        return download(key, start, length)

    monkeypatch.setattr(folder_objects, "download", late)
    with pytest.raises(StoreMissingError, match="gc may have deleted this version just now"):
        pull(folder_objects, "digits@1")
