"""A disk that is full: one line that says so, nothing lost, and the next try goes on."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.pull import PullResult

CONTENT = os.urandom(100_000)


@pytest.fixture
def fill_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a function that lets an operation of `os` fail as on a full disk."""

    def fill(name: str) -> None:
        def full(*_: object, **__: object) -> Any:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, name, full)

    return fill


@pytest.mark.parametrize("operation", ["replace", "fsync"])
def test_a_device_with_a_full_disk(
    folder_objects: Objects,
    write_files: Callable[..., Path],
    pull: Callable[..., PullResult],
    fill_disk: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
):
    publish(folder_objects, write_files({"model": CONTENT}), name="digits")
    fill_disk(operation)
    with pytest.raises(StoreError, match=r"cache failed: the disk is full; make room and run"):
        pull(folder_objects, "digits")
    monkeypatch.undo()
    assert (pull(folder_objects, "digits").folder / "model").read_bytes() == CONTENT


@pytest.mark.parametrize("operation", ["fsync", "mkdir"])
def test_a_folder_on_a_full_disk_keeps_what_it_has(
    folder_objects: Objects,
    write_files: Callable[..., Path],
    pull: Callable[..., PullResult],
    fill_disk: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    operation: str,
):
    target = tmp_path / "disk" / "out"
    for content in (b"1", b"2"):
        publish(folder_objects, write_files({"model": content}), name="digits")
    pull(folder_objects, "digits@1", target=target)
    pull(folder_objects, "digits")  # the cache has room for it
    fill_disk(operation)
    with pytest.raises(StoreError, match=r"writing the bundle in .*out failed: the disk is full"):
        pull(folder_objects, "digits", target=target)
    monkeypatch.undo()
    assert (target / "model").read_bytes() == b"1"
    assert [path.name for path in target.parent.iterdir()] == ["out"]
    pull(folder_objects, "digits", target=target)
    assert (target / "model").read_bytes() == b"2"


def test_a_store_on_a_full_disk(
    folder_objects: Any,
    write_files: Callable[..., Path],
    fill_disk: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
):
    fill_disk("fsync")
    with pytest.raises(StoreError, match=r"writing blobs/sha256/.* the disk is full"):
        publish(folder_objects, write_files({"model": CONTENT}), name="digits")
    monkeypatch.undo()
    assert list(folder_objects.list("")) == []
    assert list(folder_objects.root.rglob("*.partial")) == []
    assert publish(folder_objects, write_files({}), name="digits").found.version.number == 1


ON_A_SMALL_DISK = """
import os, sys
from pathlib import Path
from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.address import parse_address
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.address import parse_reference
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.pull import Puller

disk, store = Path(sys.argv[1]), sys.argv[2]
Path(disk / "other").write_bytes(bytes(900_000))
objects = open_objects(parse_address(store))
puller = Puller(objects=objects, cache=Cache(disk / "cache"))
small = open_objects(parse_address(str(disk / "store")))
small.check_conditions()
for action in (
    lambda: puller.pull(parse_reference("digits")),
    lambda: publish(small, Path("bundle"), name="digits"),
):
    try:
        action()
    except StoreError as error:
        print(error)
os.remove(disk / "other")
folder = puller.pull(parse_reference("digits"), target=disk / "out").folder
print((folder / "model").read_bytes() == Path("bundle/model").read_bytes())
print(publish(small, Path("bundle"), name="digits").found.version.number)
"""


def test_a_disk_that_really_is_full(
    folder_objects: Any, write_files: Callable[..., Path], tmp_path: Path
):
    """A file system of one megabyte, in a name space of its own."""
    own_space = ["unshare", "--mount", "--map-root-user"]
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=1m tmpfs {disk}"
    try:
        subprocess.run([*own_space, "sh", "-c", mount], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems cannot be mounted here, not even in a name space of their own")
    folder = write_files({"model": CONTENT + CONTENT})
    publish(folder_objects, folder, name="digits")
    run = f'{mount} && exec "$0" -c "$1" {disk} {folder_objects.root}'
    done = subprocess.run(
        [*own_space, "sh", "-c", run, sys.executable, ON_A_SMALL_DISK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second, *rest = done.stdout.splitlines()
    assert "is full: 0.2 MB are needed and 0.1 MB free; make room, or set KDTASKS_CACHE" in first
    assert "the disk is full; make room and run the same command again" in second
    assert rest == ["True", "1"]
