import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.address import RECEIPT
from kdtasks.deploy.store.checkout import checkout
from kdtasks.deploy.store.records import VERSION, FoundVersion, StoredFile, Version
from kdtasks.deploy.store.signing import sign_record


def bundle(folder: Path, contents: dict[str, bytes]) -> tuple[Path, FoundVersion]:
    files = []
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        files.append(StoredFile(name, len(content), hashlib.sha256(content).hexdigest()))
    version = Version(
        name="digits",
        number=1,
        files=tuple(files),
        about={},
        created=datetime(2026, 1, 1, tzinfo=UTC),
        identity=folder.name,
    )
    return folder, FoundVersion(version, sign_record(VERSION, version.to_record(), None))


@pytest.fixture
def first(tmp_path: Path) -> tuple[Path, FoundVersion]:
    return bundle(tmp_path / "first", {"a": b"1", "more/b": b"2"})


@pytest.fixture
def second(tmp_path: Path) -> tuple[Path, FoundVersion]:
    return bundle(tmp_path / "second", {"a": b"one"})


Bundle = tuple[Path, FoundVersion]


@pytest.fixture(params=[True, False], ids=["exchanging", "renaming"])
def exchanges(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the file system can exchange two folders in one step."""
    if not request.param:
        monkeypatch.setattr("kdtasks.deploy.store.checkout._exchange", lambda *_: False)
    return bool(request.param)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_made_and_replaced(
    first: Bundle, second: Bundle, tmp_path: Path, exchanges: bool
):
    target = tmp_path / "deep" / "out"
    assert checkout(*first, target)
    assert names(target) == {"a", "more/b", RECEIPT}
    assert (target / RECEIPT).read_bytes() == first[1].manifest
    assert not checkout(*first, target)
    assert checkout(*second, target)
    assert names(target) == {"a", RECEIPT}
    assert (target / "a").read_bytes() == b"one"
    assert [path.name for path in target.parent.iterdir()] == ["out"]


def test_an_empty_folder_is_taken(first: Bundle, tmp_path: Path, exchanges: bool):
    (tmp_path / "out").mkdir()
    assert checkout(*first, tmp_path / "out")


def test_foreign_files_are_never_deleted(first: Bundle, second: Bundle, tmp_path: Path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"out holds notes\.txt, which no pull put there; give"):
        checkout(*first, target)
    (target / "notes.txt").unlink()
    checkout(*first, target)
    (target / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"notes\.txt, which no pull put there"):
        checkout(*second, target)
    assert (target / "notes.txt").read_text() == "mine"


def test_a_file_is_no_folder(first: Bundle, tmp_path: Path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(StoreError, match="out is a file; give a folder"):
        checkout(*first, tmp_path / "out")


@pytest.mark.parametrize("damage", ["changed", "missing", "receipt"])
def test_damage_is_mended(first: Bundle, tmp_path: Path, damage: str):
    target = tmp_path / "out"
    checkout(*first, target)
    if damage == "changed":
        (target / "a").write_bytes(b"x")
    elif damage == "missing":
        (target / "more" / "b").unlink()
    else:
        checkout(*bundle(tmp_path / "other", {"a": b"1", "more/b": b"2"}), target)
    assert checkout(*first, target)
    assert (target / "a").read_bytes() == b"1"
    assert (target / "more" / "b").read_bytes() == b"2"
    assert (target / RECEIPT).read_bytes() == first[1].manifest


def test_a_link_in_the_folder_is_replaced_not_followed(first: Bundle, tmp_path: Path):
    target = tmp_path / "out"
    checkout(*first, target)
    (tmp_path / "outside").write_bytes(b"1")
    (target / "a").unlink()
    (target / "a").symlink_to(tmp_path / "outside")
    assert checkout(*first, target)
    assert not (target / "a").is_symlink()
    assert (tmp_path / "outside").read_bytes() == b"1"


def test_killed_between_two_renamings(first: Bundle, second: Bundle, tmp_path: Path):
    """The folder comes back even if nothing new can be had."""
    target = tmp_path / "out"
    checkout(*first, target)
    target.rename(tmp_path / ".out.old")
    (tmp_path / ".out.partial").mkdir()
    assert not checkout(*first, target)
    assert names(target) == {"a", "more/b", RECEIPT}
    assert not (tmp_path / ".out.partial").exists()


def test_what_is_placed_is_independent_of_the_cache(first: Bundle, tmp_path: Path):
    checkout(*first, tmp_path / "out")
    (tmp_path / "out" / "a").write_bytes(b"changed")
    assert (first[0] / "a").read_bytes() == b"1"


def test_what_keeps_an_empty_folder_in_git_stays(tmp_path: Path, first, second):
    target = tmp_path / "published"
    target.mkdir()
    (target / ".gitkeep").touch()
    for folder, found in (first, second):
        assert checkout(folder, found, target)
        assert not checkout(folder, found, target)
        assert (target / ".gitkeep").is_file()
    assert (target / "a").read_bytes() == b"one"
