"""Publishers, pullers, promoters and collectors that die anywhere leave nothing broken."""

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from kdtasks.core.errors import StoreUnreachableError
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import BLOBS, RECEIPT, parse_address, parse_reference
from kdtasks.deploy.store.cache import Cache
from kdtasks.deploy.store.catalogue import collect
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import GRACE, publish
from kdtasks.deploy.store.pull import Puller
from kdtasks.deploy.store.records import list_numbers, read_alias

FILE, WRITTEN = "file operation", "byte of a file"
REQUEST, SENT, RECEIVED = "request", "sent byte", "received byte"
RunKilled = Callable[[Callable[[], object], str, int], bool]
Measure = Callable[[Callable[[], object], str], int]
Contents = dict[str, bytes]
SIZE = 3000


def bundle(number: int) -> Contents:
    """Files of a version: one that all versions share, and two of its own."""
    return {
        "labels.txt": b"the same in all",
        "more/n": b"%d" % number,
        "model": random.Random(number).randbytes(SIZE),
    }


@pytest.fixture
def folder_of(write_files: Callable[..., Path]) -> Callable[[int], Path]:
    return lambda number: write_files(bundle(number), folder=f"bundle-{number}")


@pytest.fixture
def caches(tmp_path: Path) -> Iterator[Path]:
    """New caches, as of devices that have never pulled."""
    return (tmp_path / f"cache-{number}" for number in range(10_000))


def contents(folder: Path) -> Contents:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECEIPT
    }


def open_anew(address: str) -> Objects:
    """What a process of its own does; a fork must not use its parent's connections."""
    return open_objects(parse_address(address))


def pull(objects: Objects, text: str, cache: Path, target: Path | None = None) -> Contents:
    puller = Puller(objects=objects, cache=Cache(cache))
    return contents(puller.pull(parse_reference(text), target=target).folder)


def points(total: int, count: int) -> list[int]:
    """Where to kill: everywhere if that is not more than `count`; else at seeded random places."""
    if total <= count:
        return list(range(total))
    return [0, total - 1, *random.Random(count).sample(range(1, total - 1), count - 2)]


KILLED_PUBLISHERS = [
    pytest.param("folder", FILE, 100, id="folder-operation"),
    pytest.param("folder", WRITTEN, 40, id="folder-byte"),
    pytest.param("moto", REQUEST, 20, id="moto-request", marks=pytest.mark.slow),
    # moto takes half a body for a whole one, which no real server does
    pytest.param("ceph", SENT, 5, id="ceph-sent", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("address", "way", "count"), KILLED_PUBLISHERS, indirect=["address"])
def test_killed_publishers(
    address: str,
    way: str,
    count: int,
    folder_of: Callable[[int], Path],
    caches: Iterator[Path],
    run_killed: RunKilled,
    measure: Measure,
):
    """Versions that can be seen are whole, none is lost, and publishing again does the rest."""

    def publish_version(number: int, objects: Objects) -> None:
        found = publish(objects, folder_of(number), name="digits").found
        AliasMover(objects, "digits", "staging").advance(found)

    def publish_anew(number: int) -> None:
        publish_version(number, open_anew(address))

    objects = open_anew(address)
    publish_version(0, objects)
    total = SIZE if way == WRITTEN else measure(lambda: publish_anew(1), way)
    versions = {number: bundle(number - 1) for number in list_numbers(objects, "digits")}
    deaths = 0
    for label, left in enumerate(points(total, count), start=2):
        deaths += run_killed(partial(publish_anew, label), way, left)
        staging = read_alias(objects, "digits", "staging").alias.version
        seen = list_numbers(objects, "digits")
        assert list(versions) == seen[: len(versions)]
        for number in {staging, *seen[-2:]}:
            expected = versions.get(number, bundle(label))
            assert pull(objects, f"digits@{number}", next(caches)) == expected
        publish_version(label, objects)
        versions[max(versions) + 1] = bundle(label)
        assert list_numbers(objects, "digits") == list(versions)
        assert pull(objects, "digits@staging", next(caches)) == bundle(label)
        collect(objects, keep=2, grace=-GRACE)
        versions = {number: versions[number] for number in list_numbers(objects, "digits")}
        assert len(versions) >= 2
        assert len(list(objects.list(BLOBS))) == 1 + 2 * len(versions)
    assert deaths >= 0.8 * min(count, total)


KILLED_PULLS = [
    pytest.param("folder", FILE, True, 60, id="folder-operation-exchanging"),
    pytest.param("folder", FILE, False, 60, id="folder-operation-renaming"),
    pytest.param("folder", WRITTEN, True, 40, id="folder-byte"),
    pytest.param("moto", RECEIVED, True, 20, id="moto-received", marks=pytest.mark.slow),
    pytest.param("ceph", RECEIVED, True, 10, id="ceph-received", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(
    ("address", "way", "exchanges", "count"), KILLED_PULLS, indirect=["address"]
)
def test_killed_pulls(
    address: str,
    way: str,
    exchanges: bool,
    count: int,
    folder_of: Callable[[int], Path],
    caches: Iterator[Path],
    run_killed: RunKilled,
    measure: Measure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """The folder holds the old version or the new one, and the next pull brings the new one."""
    if not exchanges:
        monkeypatch.setattr("kdtasks.deploy.store.checkout._exchange", lambda *_: False)
    objects = open_anew(address)
    for number in (1, 2):
        publish(objects, folder_of(number), name="digits")
    target, begun = tmp_path / "out", tmp_path / "begun"
    pull(objects, "digits@1", begun, target)
    shutil.copytree(target, tmp_path / "old")

    def prepare() -> Path:
        """A device that has pulled the first version."""
        cache = next(caches)
        shutil.copytree(begun, cache)
        shutil.rmtree(target)
        shutil.copytree(tmp_path / "old", target)
        return cache

    def pull_anew(cache: Path) -> Contents:
        return pull(open_anew(address), "digits", cache, target)

    whole = measure(partial(pull_anew, prepare()), way)
    deaths, total = 0, SIZE if way == WRITTEN else whole
    for left in points(total, count):
        cache = prepare()
        deaths += run_killed(partial(pull_anew, cache), way, left)
        if target.exists():
            assert contents(target) in (bundle(1), bundle(2))
        else:
            assert not exchanges
            assert contents(tmp_path / ".out.old") == bundle(1)
        for text in ("digits@1", "digits"):  # the cache alone hands out nothing but whole versions
            puller = Puller(objects=objects, cache=Cache(cache))
            with contextlib.suppress(StoreUnreachableError):
                pulled = puller.pull(parse_reference(text), is_offline=True)
                assert contents(pulled.folder) == bundle(pulled.version.number)
        assert pull(objects, "digits", cache, target) == bundle(2)
        assert sorted(path.name for path in tmp_path.glob(".out*")) == []
        assert not list((cache / "blobs").glob("*.partial"))
    assert deaths >= 0.8 * min(count, total)


MOVES: dict[str, Callable[[Objects], object]] = {
    "promote": lambda objects: AliasMover(objects, "digits", "production").promote(3),
    "rollback": lambda objects: AliasMover(objects, "digits", "production").rollback(),
    "gc": lambda objects: collect(objects, keep=1, grace=-GRACE),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(
    ("address", "way"),
    [("folder", FILE), pytest.param("moto", REQUEST, marks=pytest.mark.slow)],
    indirect=["address"],
)
def test_killed_moves(
    address: str,
    way: str,
    move: str,
    folder_of: Callable[[int], Path],
    caches: Iterator[Path],
    run_killed: RunKilled,
    measure: Measure,
    tmp_path: Path,
):
    """An alias stands where it was or where it was moved to, and can be pulled."""
    count = 25 if way == FILE else 8
    begun = open_anew(str(tmp_path / "begun"))
    begun.check_conditions()
    for number in range(1, 6):
        publish(begun, folder_of(number), name="digits")
    for number in (1, 2):
        AliasMover(begun, "digits", "production").promote(number)

    def set_up(name: str) -> str:
        """A copy of a store with five versions, production at the second after the first."""
        objects = open_anew(f"{address}-{name}")
        objects.check_conditions()
        for entry in begun.list(""):
            objects.create(entry.key, begun.read(entry.key).data)
        return f"{address}-{name}"

    def act(store: str) -> None:
        MOVES[move](open_anew(store))

    total = measure(partial(act, set_up("whole")), way)
    allowed = {2, {"promote": 3, "rollback": 1, "gc": 2}[move]}
    for number, left in enumerate(points(total, count)):
        store = set_up(str(number))
        assert run_killed(partial(act, store), way, left)
        objects = open_anew(store)
        version = read_alias(objects, "digits", "production").alias.version
        assert version in allowed
        assert pull(objects, "digits@production", next(caches)) == bundle(version)
        assert pull(objects, "digits", next(caches)) == bundle(5)
        collect(objects, keep=1, grace=-GRACE)
        for needed in ("digits@production", "digits@1", "digits"):
            pull(objects, needed, next(caches))
