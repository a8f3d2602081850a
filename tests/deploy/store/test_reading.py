import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import IntegrityError, StoreError
from kdtasks.deploy.store.address import BLOBS
from kdtasks.deploy.store.folder import FolderObjects
from kdtasks.deploy.store.objects import PART_BYTES, Objects
from kdtasks.deploy.store.publish import publish, read_folder
from kdtasks.deploy.store.records import fetch_version, list_numbers

FILES = {"model.tflite": b"model", "labels.txt": b"a\nb\n", "more/notes.txt": b""}


def test_links_into_the_cache_of_dvc_are_followed(tmp_path: Path, write_files: Callable[..., Path]):
    folder = write_files(FILES)
    cached = tmp_path / ".dvc/cache/files/md5/ab" / ("c" * 30)
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"linked")
    (folder / "link").symlink_to(cached)
    assert read_folder(folder)["link"].size == 6


def test_what_other_links_lead_to_is_not_published(
    tmp_path: Path, write_files: Callable[..., Path]
):
    folder = write_files(FILES)
    (tmp_path / "id_ed25519").write_bytes(b"secret")
    (folder / "more/weights").symlink_to(tmp_path / "id_ed25519")
    with pytest.raises(StoreError, match=r"it holds 'more/weights', a link; rename or remove it"):
        read_folder(folder)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/hostname")])
def test_a_store_of_other_things_than_files_is_refused(
    tmp_path: Path, write_files: Callable[..., Path], make: Callable[[Path], None]
):
    objects = FolderObjects(tmp_path / "store")
    publish(objects, write_files(FILES), name="digits")
    record = tmp_path / "store/models/digits/versions/1.json"
    record.unlink()
    make(record)
    with pytest.raises(IntegrityError, match=r"1\.json is a (pipe|link); a store has files"):
        fetch_version(objects, "digits", 1)


def test_a_record_without_an_end_is_not_read(tmp_path: Path, write_files: Callable[..., Path]):
    objects = FolderObjects(tmp_path / "store")
    publish(objects, write_files(FILES), name="digits")
    os.truncate(tmp_path / "store/models/digits/versions/1.json", 1 << 40)  # takes no room
    with pytest.raises(IntegrityError, match="has more bytes than any record"):
        fetch_version(objects, "digits", 1)


def test_nothing_is_written_through_a_link_out_of_the_store(
    tmp_path: Path, write_files: Callable[..., Path]
):
    (tmp_path / "store").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "store/blobs").symlink_to(tmp_path / "outside")
    with pytest.raises(IntegrityError, match="blobs is a link"):
        publish(FolderObjects(tmp_path / "store"), write_files(FILES), name="digits")
    assert list((tmp_path / "outside").iterdir()) == []


def test_what_cannot_be_published(tmp_path: Path, write_files: Callable[..., Path]):
    folder = write_files(FILES)
    with pytest.raises(StoreError, match="none is no folder; give the folder of a bundle"):
        read_folder(tmp_path / "none")
    (folder / "loop").symlink_to(folder)
    with pytest.raises(StoreError, match="cannot be published: it holds 'loop', a link"):
        read_folder(folder)
    (folder / "loop").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(StoreError, match="it holds 'pipe', a pipe; rename or remove it"):
        read_folder(folder)
    (folder / "pipe").unlink()
    (folder / "a:b").touch()
    with pytest.raises(StoreError, match="names the file 'a:b', and it has a backslash"):
        read_folder(folder)
    (folder / "a:b").unlink()
    (folder / "Model.tflite").touch()
    with pytest.raises(StoreError, match="are the same file"):
        read_folder(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="it has no file"):
        read_folder(tmp_path / "empty")


@pytest.mark.parametrize("size", [5, PART_BYTES + 10])
def test_a_file_that_changes_after_it_was_hashed_is_not_published(
    objects: Objects, write_files: Callable[..., Path], size: int
):
    """Nothing of it can be seen, even where its size and its dates are the same."""
    files = read_folder(write_files({"model.tflite": b"a" * size}))
    write_files({"model.tflite": b"b" * size})
    with pytest.raises(StoreError, match=r"model\.tflite was changed while it was being published"):
        publish(objects, files, name="digits")
    assert list_numbers(objects, "digits") == []
    assert list(objects.list(BLOBS)) == []
