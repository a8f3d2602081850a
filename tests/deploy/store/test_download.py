import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from kdtasks.core.errors import IntegrityError, StoreError, StoreUnreachableError
from kdtasks.deploy.store.download import download_files
from kdtasks.deploy.store.objects import OnBytes
from kdtasks.deploy.store.progress import NO_PROGRESS
from kdtasks.deploy.store.records import StoredFile


class Contents:
    """Contents by hash; the first answers for each bring only so many of their bytes."""

    def __init__(self, *contents: bytes) -> None:
        self.by_key = {
            f"blobs/sha256/{hashlib.sha256(content).hexdigest()}": content for content in contents
        }
        self.asked: list[str] = []
        self.cuts: list[int] = []

    def download(self, key: str, stream: BinaryIO, on_bytes: OnBytes) -> None:
        self.asked.append(key)
        cut = self.cuts.pop(0) if self.cuts else None
        stream.write(self.by_key[key][:cut])

    @property
    def files(self) -> list[StoredFile]:
        return [
            StoredFile(f"file-{n}", len(content), hashlib.sha256(content).hexdigest())
            for n, content in enumerate(self.by_key.values())
        ]


def fetch(objects: Any, folder: Path) -> None:
    download_files(objects, objects.files, folder, NO_PROGRESS)


def test_contents_appear_under_their_hashes(tmp_path: Path):
    contents = [os.urandom(size) for size in (0, 1, 99, 100, 101, 555)]
    fetch(Contents(*contents), tmp_path)
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {hashlib.sha256(content).hexdigest(): content for content in contents}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o444}


def test_an_answer_that_is_too_short_without_an_error_is_asked_for_again(tmp_path: Path):
    objects = Contents(bytes(range(50)))
    objects.cuts = [15, 0]
    fetch(objects, tmp_path)
    assert len(objects.asked) == 3
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [bytes(range(50))]


def test_answers_that_are_always_too_short_are_given_up(tmp_path: Path):
    objects = Contents(bytes(range(50)))
    objects.cuts = [15] * 100
    with pytest.raises(StoreUnreachableError, match=r"blobs/sha256/.* broke off 3 times; check"):
        fetch(objects, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_content_is_refused_and_not_kept(tmp_path: Path):
    objects = Contents(b"good content")
    (key,) = objects.by_key
    files = objects.files
    objects.by_key[key] = b"evil content"
    with pytest.raises(IntegrityError, match=r"blobs/sha256/.* \(file-0\) is damaged: its content"):
        download_files(objects, files, tmp_path, NO_PROGRESS)  # type: ignore[arg-type]
    assert len(objects.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_space_is_asked_for_before(tmp_path: Path):
    objects = Contents()
    files = [StoredFile("a", 10**15, "0" * 64)]
    with pytest.raises(StoreError, match=r"is full: 1,000,000,000.0 MB are needed"):
        download_files(objects, files, tmp_path, NO_PROGRESS)  # type: ignore[arg-type]
    assert objects.asked == []


def test_a_file_without_an_end_breaks_off_at_its_size(tmp_path: Path):
    content = b"a" * 100

    class Endless:
        written = 0

        def download(self, key: str, stream: BinaryIO, on_bytes: OnBytes) -> None:
            while True:
                stream.write(content)
                self.written += len(content)
                on_bytes(len(content))

    objects = Endless()
    file = StoredFile("file", 100, hashlib.sha256(content).hexdigest())
    with pytest.raises(IntegrityError, match=r"has more than the 100 bytes that its manifest says"):
        download_files(objects, [file], tmp_path, NO_PROGRESS)  # type: ignore[arg-type]
    assert objects.written == 200
    assert list(tmp_path.iterdir()) == []
