import io
import os
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import StoreError, StoreUnreachableError
from kdtasks.deploy.store.folder import FolderObjects


def test_a_folder_that_is_away_is_a_store_that_does_not_answer(tmp_path: Path):
    objects = FolderObjects(tmp_path / "away")
    for ask in (
        lambda: objects.read("a"),
        lambda: objects.stat("a"),
        lambda: list(objects.list("models/")),
        lambda: objects.download("a", io.BytesIO(), lambda count: None),
        lambda: objects.create("a", b""),
    ):
        with pytest.raises(StoreUnreachableError, match="away was not found; mount it, or correct"):
            ask()
    assert not (tmp_path / "away").exists()


def test_a_file_where_the_folder_should_be(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"creating the store in .*file failed"):
        FolderObjects(tmp_path / "file").check_conditions()


def test_hidden_files_are_no_objects(folder_objects: Any):
    folder_objects.create("models/a", b"")
    (folder_objects.root / "models" / ".a.12.partial").touch()
    assert [entry.key for entry in folder_objects.list("models/")] == ["models/a"]


def test_an_unreadable_folder_is_not_an_empty_one(
    folder_objects: Any, monkeypatch: pytest.MonkeyPatch
):
    folder_objects.create("models/a", b"")

    def forbidden(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(StoreError, match=r"listing models/ .* may not be written or read"):
        list(folder_objects.list("models/"))


def test_a_bucket_is_a_copy_of_a_folder(folder_objects: Any):
    """The layout is the same, so `aws s3 sync` moves a store."""
    folder_objects.create("models/digits/versions/1.json", b"{}")
    path = folder_objects.root / "models" / "digits" / "versions" / "1.json"
    assert path.read_bytes() == b"{}"


def test_now_is_the_clock_of_the_disk(folder_objects: Any):
    now = folder_objects.now()
    folder_objects.create("models/a", b"")
    assert folder_objects.stat("models/a").modified >= now
    assert [path.name for path in folder_objects.root.iterdir() if path.is_file()] == [".lock"]
