import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import IntegrityError, StoreError, StoreUnreachableError
from kdtasks.deploy.store import transfer as module
from kdtasks.deploy.store import transfer as partial
from kdtasks.deploy.store.transfer import Transfers, check_space, download_files
from kdtasks.deploy.store.version import StoredFile


class Contents:
    """Contents by hash, with faults: what is asked for, and how many bytes come at a time."""

    def __init__(self, *contents: bytes) -> None:
        self.by_key = {
            f"blobs/sha256/{hashlib.sha256(content).hexdigest()}": content for content in contents
        }
        self.asked: list[tuple[int, int]] = []
        self.cut_after: Callable[[int], int | None] = lambda request: None

    def download(self, key: str, start: int, length: int) -> Iterator[bytes]:
        request = len(self.asked)
        self.asked.append((start, length))
        left = self.cut_after(request)
        for position in range(start, start + length, 4):
            if left is not None and left <= 0:
                raise StoreUnreachableError("cut")
            size = min(4, start + length - position, len(self.by_key[key]) - position)
            yield self.by_key[key][position : position + size]
            left = None if left is None else left - size

    @property
    def files(self) -> list[StoredFile]:
        return [
            StoredFile(f"file-{n}", len(content), hashlib.sha256(content).hexdigest())
            for n, content in enumerate(self.by_key.values())
        ]


@pytest.fixture(autouse=True)
def quick_and_small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.0)
    for file in (module, partial):
        monkeypatch.setattr(file, "PART_BYTES", 100)


def fetch(objects: Any, folder: Path, workers: int = 1) -> None:
    download_files(objects, objects.files, folder, Transfers(workers=workers))


@pytest.mark.parametrize("workers", [1, 4])
def test_contents_appear_under_their_hashes(tmp_path: Path, workers: int):
    contents = [os.urandom(size) for size in (0, 1, 99, 100, 101, 555)]
    fetch(Contents(*contents), tmp_path, workers)
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {hashlib.sha256(content).hexdigest(): content for content in contents}


def test_what_is_there_is_not_asked_for(tmp_path: Path):
    objects = Contents(b"content")
    fetch(objects, tmp_path)
    fetch(objects, tmp_path)
    assert len(objects.asked) == 1


def test_a_connection_that_is_cut_goes_on_where_it_was(tmp_path: Path):
    objects = Contents(bytes(range(50)))
    objects.cut_after = lambda request: 20
    fetch(objects, tmp_path)
    assert objects.asked == [(0, 50), (20, 30), (40, 10)]


def test_a_connection_that_brings_nothing_is_given_up(tmp_path: Path):
    objects = Contents(bytes(range(50)))
    objects.cut_after = lambda request: 20 if request == 0 else 0
    with pytest.raises(StoreUnreachableError, match="cut"):
        fetch(objects, tmp_path)
    assert objects.asked == [(0, 50)] + [(20, 30)] * 3
    objects.cut_after = lambda request: None
    fetch(objects, tmp_path)
    assert objects.asked[-1] == (20, 30)


def test_an_answer_that_is_too_short_without_an_error(tmp_path: Path):
    objects = Contents(bytes(range(50)))
    whole = objects.download

    def short(key: str, start: int, length: int) -> Iterator[bytes]:
        return whole(key, start, min(length, 15))

    objects.download = short  # type: ignore[method-assign]
    fetch(objects, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_parts_of_a_large_content_go_on_each(tmp_path: Path):
    objects = Contents(os.urandom(250))
    objects.cut_after = lambda request: 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ATTEMPTS", 0)
        with pytest.raises(StoreUnreachableError):
            fetch(objects, tmp_path, workers=3)
    objects.asked.clear()
    objects.cut_after = lambda request: None
    fetch(objects, tmp_path)
    assert sum(length for _, length in objects.asked) < 250
    assert len(list(tmp_path.iterdir())) == 1


def test_a_wrong_content_is_refused_and_not_kept(tmp_path: Path):
    objects = Contents(b"good content")
    (key,) = objects.by_key
    files = objects.files
    objects.by_key[key] = b"evil content"
    with pytest.raises(IntegrityError, match=r"blobs/sha256/.* \(file-0\) is damaged: its content"):
        download_files(objects, files, tmp_path, Transfers())  # type: ignore[arg-type]
    assert len(objects.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_first_piece_that_was_mixed_up_is_thrown_away(tmp_path: Path):
    """After a power cut it may say that more has arrived than has."""
    objects = Contents(b"0123456789")
    (file,) = objects.files
    broken = tmp_path / f"{file.sha256}.partial"
    broken.write_bytes(b"xxxxx" + bytes(5) + (5).to_bytes(8, "little"))
    fetch(objects, tmp_path)
    assert objects.asked == [(5, 5), (0, 10)]
    assert (tmp_path / file.sha256).read_bytes() == b"0123456789"


def test_space_is_asked_for_before(tmp_path: Path):
    check_space([StoredFile("a", 10, "0" * 64)], tmp_path)
    with pytest.raises(StoreError, match=r"is full: 1,000,000,000.0 MB are needed"):
        check_space([StoredFile("a", 10**15, "0" * 64)], tmp_path)


def test_space_that_the_first_piece_takes_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = type("Usage", (), {"free": 4096})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    file = StoredFile("a", 100_000, "0" * 64)
    with pytest.raises(StoreError, match="is full"):
        check_space([file], tmp_path)
    (tmp_path / f"{file.sha256}.partial").write_bytes(b"x" * 99_000)
    check_space([file], tmp_path)
