import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import StoreError, StoreMissingError, StoreUnreachableError
from kdtasks.deploy.store.address import RECEIPT, version_key
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import PublishResult
from kdtasks.deploy.store.pull import PullResult

FILES = {"model.tflite": b"model", "labels.txt": b"a\nb\n", "more/notes.txt": b""}
Write = Callable[..., Path]
Pull = Callable[..., PullResult]


Publish = Callable[..., PublishResult]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)  # the cache is read-only
    path.write_bytes(data)


class Away:
    """A store that cannot be reached."""

    def __init__(self, objects: Objects) -> None:
        self.identity = objects.identity

    def __getattr__(self, name: str) -> Any:
        raise StoreUnreachableError("no network")


@pytest.mark.parametrize("text", ["digits", "digits@production", "digits@1"])
def test_what_was_published_is_pulled(
    objects: Objects, publish_files: Publish, pull: Pull, text: str
):
    publish_files(objects)
    first = pull(objects, text)
    assert contents(first.folder) == FILES
    assert (first.downloaded, first.is_changed, first.version.number) == (9, True, 1)
    again = pull(objects, text)
    assert (again.folder, again.downloaded, again.is_changed) == (first.folder, 0, False)
    assert again.unreachable is None


def test_only_what_changed_is_downloaded(objects: Objects, publish_files: Publish, pull: Pull):
    publish_files(objects)
    pull(objects, "digits@production")
    publish_files(objects, {"labels.txt": b"a\nb\nc\n"})
    second = pull(objects, "digits@production")
    assert (second.version.number, second.downloaded) == (2, 6)
    assert contents(second.folder)["labels.txt"] == b"a\nb\nc\n"


@pytest.mark.parametrize(
    ("text", "requests"), [("digits@production", 1), ("digits", 1), ("digits@1", 0)]
)
def test_an_unchanged_pull_costs_one_request(
    server: str,
    open_store: Callable[[str], Objects],
    publish_files: Publish,
    pull: Pull,
    tmp_path: Path,
    text: str,
    requests: int,
):
    address = f"s3://bucket/{tmp_path.name}-{text.replace('@', '-')}"
    objects: Any = open_store(address)
    publish_files(objects)
    pull(objects, text)
    counted: list[str] = []
    objects._client.meta.events.register(
        "before-send.s3", lambda request, **_: counted.append(request.url)
    )
    pull(objects, text)
    assert len(counted) == requests


def test_what_is_not_there(objects: Objects, publish_files: Publish, pull: Pull):
    with pytest.raises(StoreMissingError, match="the store has no model digits"):
        pull(objects, "digits")
    publish_files(objects)
    with pytest.raises(StoreMissingError, match="no version 7 of digits"):
        pull(objects, "digits@7")
    with pytest.raises(StoreMissingError, match="digits has no alias staging"):
        pull(objects, "digits@staging")


def test_an_alias_follows_promotions_and_rollbacks(
    folder_objects: Objects, publish_files: Publish, pull: Pull
):
    for text in (b"1", b"2", b"3"):
        publish_files(folder_objects, {"labels.txt": text})
    assert pull(folder_objects, "digits@production").version.number == 3
    AliasMover(folder_objects, "digits", "production").rollback()
    rolled_back = pull(folder_objects, "digits@production")
    assert rolled_back.version.number == 2
    assert contents(rolled_back.folder)["labels.txt"] == b"2"
    assert pull(folder_objects, "digits").version.number == 3


def test_without_a_network_the_cache_serves(
    folder_objects: Objects, publish_files: Publish, pull: Pull, tmp_path: Path
):
    publish_files(folder_objects)
    for text in ("digits@production", "digits", "digits@1"):
        online = pull(folder_objects, text)
        for pulled in (
            pull(Away(folder_objects), text),
            pull(folder_objects, text, is_offline=True),
        ):
            assert (pulled.folder, pulled.version) == (online.folder, online.version)
        if text != "digits@1":  # which needs to ask nobody
            assert pull(Away(folder_objects), text).unreachable == "no network"
    placed = pull(Away(folder_objects), "digits", target=tmp_path / "out")
    assert contents(placed.folder).keys() == {*FILES, RECEIPT}
    with pytest.raises(StoreUnreachableError, match="no network; letters was not pulled"):
        pull(Away(folder_objects), "letters")


def test_a_network_that_fails_in_the_middle(
    folder_objects: Any, publish_files: Publish, pull: Pull, monkeypatch: pytest.MonkeyPatch
):
    """The version before is handed out, and the next pull brings the new one."""
    publish_files(folder_objects)
    pull(folder_objects, "digits@production")
    publish_files(folder_objects, {"labels.txt": b"new"})

    def download(*_: object) -> Any:
        raise StoreUnreachableError("cut")

    with monkeypatch.context() as patch:
        patch.setattr(folder_objects, "download", download)
        pulled = pull(folder_objects, "digits@production")
    assert (pulled.version.number, pulled.unreachable) == (1, "cut")
    assert pull(folder_objects, "digits@production").version.number == 2


def test_a_store_that_lost_its_newest_version_says_so(
    folder_objects: Any, publish_files: Publish, pull: Pull
):
    publish_files(folder_objects)
    publish_files(folder_objects, {"labels.txt": b"new"})
    assert pull(folder_objects, "digits").version.number == 2
    (folder_objects.root / version_key("digits", 2)).unlink()
    with pytest.raises(
        StoreMissingError, match=r"was 2 when .* is 1 by now: .* `kdtasks pull digi"
    ):
        pull(folder_objects, "digits")
    assert pull(folder_objects, "digits@1").version.number == 1


def test_damage_in_the_cache_is_mended(folder_objects: Objects, publish_files: Publish, pull: Pull):
    publish_files(folder_objects)
    folder = pull(folder_objects, "digits").folder
    for damage in (
        lambda: overwrite(folder / "model.tflite", b"m0del"),
        lambda: overwrite(folder / "model.tflite", b""),
        lambda: (folder / "labels.txt").unlink(),
        lambda: (folder / "extra").touch(),
        lambda: shutil.rmtree(folder),
    ):
        damage()
        assert contents(pull(folder_objects, "digits").folder) == FILES


def test_damage_in_the_cache_is_never_handed_out_offline(
    folder_objects: Objects, publish_files: Publish, pull: Pull
):
    publish_files(folder_objects)
    folder = pull(folder_objects, "digits").folder
    (folder / "labels.txt").unlink()
    assert contents(pull(Away(folder_objects), "digits").folder) == FILES
    overwrite(folder / "model.tflite", b"m0del")
    with pytest.raises(StoreUnreachableError, match=r"the cache has lost model.tflite of digits"):
        pull(Away(folder_objects), "digits")


def test_two_pulls_at_once(folder_objects: Objects, publish_files: Publish, pull: Pull):
    publish_files(folder_objects, {"large": os.urandom(3_000_000)})
    pulled: list[PullResult] = []
    threads = [
        threading.Thread(target=lambda: pulled.append(pull(folder_objects, "digits")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.folder for one in pulled}) == 1
    assert len(contents(pulled[0].folder)) == 4


def test_a_version_larger_than_the_disk(folder_objects: Any, publish_files: Publish, pull: Pull):
    publish_files(folder_objects)
    path = folder_objects.root / version_key("digits", 1)
    path.write_text(path.read_text().replace('"size": 5', '"size": 1000000000000000'))
    with pytest.raises(StoreError, match=r"is full: 1,000,000,000.0 MB are needed and .* free"):
        pull(folder_objects, "digits")


def test_progress_adds_up(folder_objects: Objects, publish_files: Publish, pull: Pull):
    class Counted:
        total = done = 0

        def expect(self, total: int) -> None:
            self.total = total

        def advance(self, count: int) -> None:
            self.done += count

    publish_files(folder_objects)
    progress = Counted()
    pull(folder_objects, "digits", progress=progress)
    assert (progress.total, progress.done) == (9, 9)


def test_old_versions_leave_the_cache(
    folder_objects: Objects, publish_files: Publish, pull: Pull, tmp_path: Path
):
    """The one before stays, since a program may be reading it."""
    folders = []
    for text in (b"1", b"2", b"3"):
        publish_files(folder_objects, {"labels.txt": text})
        folders.append(pull(folder_objects, "digits@production").folder)
    assert [folder.exists() for folder in folders] == [False, True, True]
    assert len(list((tmp_path / "cache" / "blobs").iterdir())) == 4
    assert len(list((tmp_path / "cache" / "manifests").iterdir())) == 2
