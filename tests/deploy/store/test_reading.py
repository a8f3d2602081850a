import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.address import BLOBS
from kdtasks.deploy.store.objects import PART_BYTES, Objects
from kdtasks.deploy.store.publish import publish, read_folder
from kdtasks.deploy.store.records import list_numbers

FILES = {"model.tflite": b"model", "labels.txt": b"a\nb\n", "more/notes.txt": b""}


def test_links_to_files_are_followed(tmp_path: Path, write_files: Callable[..., Path]):
    """DVC may link its outputs into its cache."""
    folder = write_files(FILES)
    (tmp_path / "outside").write_bytes(b"linked")
    (folder / "link").symlink_to(tmp_path / "outside")
    assert read_folder(folder)["link"].size == 6


def test_what_cannot_be_published(tmp_path: Path, write_files: Callable[..., Path]):
    folder = write_files(FILES)
    with pytest.raises(StoreError, match="none is no folder; give the folder of a bundle"):
        read_folder(tmp_path / "none")
    (folder / "loop").symlink_to(folder)
    with pytest.raises(StoreError, match="cannot be published: 'loop' is a link to a folder"):
        read_folder(folder)
    (folder / "loop").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(StoreError, match="'pipe' is a link to a folder, or no file"):
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
