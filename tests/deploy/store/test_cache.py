import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kdtasks.core.errors import StoreError
from kdtasks.core.locks import locked
from kdtasks.deploy.store.address import Reference
from kdtasks.deploy.store.cache import Cache, Resolution, default_cache
from kdtasks.deploy.store.records import VERSION, FoundVersion, StoredFile, Version
from kdtasks.deploy.store.signing import sign_record

STORE = "s3://bucket"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def keep(cache: Cache, content: bytes, *, name: str = "digits") -> FoundVersion:
    """Do what a pull does: content, manifest, bundle."""
    sha256 = hashlib.sha256(content).hexdigest()
    version = Version(
        name=name,
        number=1,
        files=(StoredFile("a", len(content), sha256),),
        about={},
        created=datetime(2026, 1, 1, tzinfo=UTC),
        identity="",
    )
    with cache.in_use():
        (cache.blobs / sha256).write_bytes(content)
        found = FoundVersion(version, sign_record(VERSION, version.to_record(), None))
        cache.keep_manifest(found)
        cache.build_bundle(found)
        resolution = Resolution(number=1, manifest_sha256=found.sha256)
        cache.remember(STORE, Reference(name, "x"), resolution)
    return found


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("KDTASKS_CACHE", str(tmp_path / "own"))
    assert default_cache() == tmp_path / "own"
    monkeypatch.delenv("KDTASKS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "kdtasks" / "store"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "kdtasks" / "store"


def test_references_are_remembered_by_store(cache: Cache):
    reference = Reference("digits", "production")
    found = Resolution(number=3, manifest_sha256="ab" * 32, alias_record="{}")
    with cache.in_use():
        cache.remember(STORE, reference, found)
    assert cache.resolution(STORE, reference) == found
    assert cache.resolution("s3://other", reference) is None
    assert cache.resolution(STORE, Reference("digits")) is None
    assert cache.resolution(STORE, Reference("digits", 3)) is None


def test_the_manifest_before_is_remembered(cache: Cache):
    reference = Reference("digits")
    with cache.in_use():
        for sha256 in ("a" * 64, "b" * 64, "b" * 64):
            cache.remember(STORE, reference, Resolution(number=1, manifest_sha256=sha256))
    found = cache.resolution(STORE, reference)
    assert found is not None
    assert (found.manifest_sha256, found.previous_sha256) == ("b" * 64, "a" * 64)


WHOLE = f'{{"number": 1, "manifest_sha256": "{"a" * 64}"'


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"number": 1}', '{"unknown": 1}', "[" * 100_000),
        *(f'{WHOLE}, "alias_record": 1}}', f'{WHOLE}, "previous_sha256": "../x"}}'),
        *(f"{WHOLE[:10]} true{WHOLE[12:]}}}", '{"number": 1, "manifest_sha256": ["a"]}'),
    ],
)
def test_an_unreadable_memory_is_none(cache: Cache, text: str):
    reference = Reference("digits")
    with cache.in_use():
        cache.remember(STORE, reference, Resolution(number=1, manifest_sha256="a" * 64))
    (path,) = cache.root.glob("references/*/*.json")
    path.write_text(f"{WHOLE}}}")
    assert cache.resolution(STORE, reference)
    path.write_text(text)
    assert cache.resolution(STORE, reference) is None


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(cache: Cache):
    found = keep(cache, b"1")
    for path in (*cache.root.glob("references/*/*.json"), *cache.root.glob("manifests/*")):
        path.unlink()
        os.mkfifo(path)
    assert cache.resolution(STORE, Reference("digits", "x")) is None
    assert cache.manifest(found.sha256) is None
    cache.prune()


def test_a_damaged_manifest_is_none(cache: Cache):
    manifest = keep(cache, b"1").sha256
    assert cache.manifest(manifest) is not None
    (cache.root / "manifests" / f"{manifest}.json").write_bytes(b"{}")
    assert cache.manifest(manifest) is None
    assert cache.manifest("none") is None


def test_a_damaged_content_is_missing_and_left_for_a_download_to_replace(cache: Cache):
    version = keep(cache, b"1").version
    assert cache.missing(version) == []
    blob = cache.blobs / version.files[0].sha256
    blob.write_bytes(b"2")
    assert cache.missing(version) == list(version.files)
    assert blob.exists()


def test_bundles_survive_file_systems_without_links(cache: Cache, monkeypatch: pytest.MonkeyPatch):
    def link(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", link)
    assert cache.bundle(keep(cache, b"1")) is not None


def test_pruning_keeps_what_references_name(cache: Cache):
    first, second = keep(cache, b"1"), keep(cache, b"2")
    other, third = keep(cache, b"3", name="letters"), keep(cache, b"4")
    cache.prune()
    assert cache.bundle(first) is None
    assert cache.manifest(first.sha256) is None
    assert cache.manifest(second.sha256) is not None
    assert cache.bundle(third)
    assert cache.bundle(other)
    assert len(list(cache.blobs.iterdir())) == 3


def test_pruning_removes_what_broke_off(cache: Cache):
    keep(cache, b"1")
    broken_off = cache.blobs / ".a.0123456789abcdef.partial"
    broken_off.touch()
    cache.prune()
    assert not broken_off.exists()


def test_nothing_is_pruned_while_somebody_pulls(cache: Cache):
    keep(cache, b"1")
    unnamed = cache.blobs / "unnamed"
    unnamed.touch()
    with locked(cache.root / "lock", shared=True):
        cache.prune()
    assert unnamed.exists()
    cache.prune()
    assert not unnamed.exists()


def test_pruning_where_nothing_was_pulled(cache: Cache):
    cache.prune()
    assert not cache.root.exists()


def test_a_cache_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"writing the cache in .*file/cache failed: "):  # noqa: SIM117
        with Cache(tmp_path / "file" / "cache").in_use():
            pass
