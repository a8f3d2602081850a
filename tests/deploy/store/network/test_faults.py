"""Publishing, promoting and pulling through bad networks and servers: nothing is lost."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import StoreError, StoreUnreachableError
from kdtasks.deploy.store import bucket_client, open_objects
from kdtasks.deploy.store.address import parse_address
from kdtasks.deploy.store.catalogue import list_models
from kdtasks.deploy.store.objects import PART_BYTES, Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.pull import PullResult
from kdtasks.deploy.store.records import list_numbers, read_alias
from tests.deploy.store.network.conftest import SMALL, is_blob

Write = Callable[..., Path]
Pull = Callable[..., PullResult]
LARGE = {"large": os.urandom(2 * PART_BYTES + 100)}


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("files", [SMALL, LARGE], ids=["small", "large"])
def test_uploads_that_are_cut_are_sent_again(
    proxied: Objects,
    proxy: Any,
    fault: Any,
    write_files: Write,
    pull: Pull,
    files: dict[str, bytes],
    share: float,
):
    size = max(len(content) for content in files.values())
    cut = int(min(size, PART_BYTES) * share)
    proxy.plan = lambda request: (
        fault(request_bytes=cut)
        if is_blob(request) and request.method == "PUT" and request.number == 0
        else None
    )
    publish(proxied, write_files(files), name="digits")
    pulled = pull(proxied, "digits")
    assert {name: (pulled.folder / name).read_bytes() for name in files} == files


@pytest.mark.parametrize("files", [SMALL, LARGE], ids=["small", "large"])
def test_a_publish_that_is_cut_for_good_leaves_nothing_to_be_seen(
    proxied: Objects,
    proxy: Any,
    fault: Any,
    write_files: Write,
    pull: Pull,
    files: dict[str, bytes],
):
    proxy.plan = lambda request: (
        fault(request_bytes=1000) if is_blob(request) and request.method == "PUT" else None
    )
    with pytest.raises(StoreUnreachableError, match=r"does not answer \(.*\); check the network"):
        publish(proxied, write_files(files), name="digits")
    assert list_models(proxied) == []
    proxy.plan = lambda request: None
    assert publish(proxied, write_files({}), name="digits").found.version.number == 1
    assert len(list(pull(proxied, "digits").folder.iterdir())) == len(files)


@pytest.mark.parametrize(
    ("status", "code"), [(500, "InternalError"), (503, "SlowDown"), (503, "ServiceUnavailable")]
)
def test_servers_in_trouble_are_asked_again(
    proxied: Objects,
    proxy: Any,
    fault: Any,
    write_files: Write,
    pull: Pull,
    status: int,
    code: str,
):
    proxy.plan = lambda request: fault(status=status, code=code) if request.number == 0 else None
    found = publish(proxied, write_files(SMALL), name="digits").found
    AliasMover(proxied, "digits", "production").advance(found)
    assert pull(proxied, "digits@production").downloaded == 100_004


def test_servers_in_trouble_for_good(
    proxied: Objects, proxy: Any, fault: Any, write_files: Write, pull: Pull
):
    publish(proxied, write_files(SMALL), name="digits")
    proxy.plan = lambda request: fault(status=503, code="SlowDown")
    with pytest.raises(StoreUnreachableError, match=r"with 503 .*, several times; try again"):
        publish(proxied, write_files({}), name="letters")
    with pytest.raises(StoreUnreachableError, match="SlowDown"):
        pull(proxied, "digits")
    proxy.plan = lambda request: fault(status=503, code="SlowDown") if is_blob(request) else None
    with pytest.raises(StoreUnreachableError, match="SlowDown"):
        pull(proxied, "digits")
    proxy.plan = lambda request: None
    pull(proxied, "digits")


def test_lost_answers_write_nothing_twice(
    proxied: Objects, proxy: Any, fault: Any, write_files: Write
):
    """The server has done it, boto3 asks again, and the condition does not hold any more."""
    proxy.plan = lambda request: (
        fault(answer_bytes=0)
        if request.method in ("PUT", "POST")
        and request.number == 0
        and "probes" not in request.path
        else None
    )
    for number in (1, 2):
        found = publish(proxied, write_files({**SMALL, "n": b"%d" % number}), name="digits").found
        assert found.version.number == number
        AliasMover(proxied, "digits", "staging").advance(found)
        AliasMover(proxied, "digits", "production").promote(number)
    assert list_numbers(proxied, "digits") == [1, 2]
    alias = read_alias(proxied, "digits", "production").alias
    assert (alias.version, alias.previous) == (2, (1,))
    assert AliasMover(proxied, "digits", "production").rollback().alias.version == 1


@pytest.mark.parametrize("files", [SMALL, LARGE], ids=["small", "large"])
def test_downloads_that_are_cut_are_asked_for_again(
    proxied: Objects,
    proxy: Any,
    fault: Any,
    write_files: Write,
    pull: Pull,
    files: dict[str, bytes],
):
    publish(proxied, write_files(files), name="digits")
    size = sum(len(content) for content in files.values())
    cut = 60_000 if size < PART_BYTES else 5_000_000
    proxy.plan = lambda request: (
        fault(answer_bytes=cut) if is_blob(request) and request.number < 2 else None
    )
    pulled = pull(proxied, "digits")
    assert pulled.downloaded == size
    assert {name: (pulled.folder / name).read_bytes() for name in files} == files


def test_files_that_are_complete_are_not_pulled_again(
    proxied: Objects, proxy: Any, fault: Any, write_files: Write, pull: Pull
):
    publish(proxied, write_files({"large": os.urandom(100_000), "small": b"1"}), name="digits")
    proxy.plan = lambda request: fault(answer_bytes=50_000) if is_blob(request) else None
    with pytest.raises(StoreUnreachableError, match="does not answer"):
        pull(proxied, "digits")
    proxy.plan = lambda request: None
    proxy.seen.clear()
    assert pull(proxied, "digits").downloaded == 100_000
    assert sum(is_blob(request) for request in proxy.seen) == 1


@pytest.mark.parametrize("cut", [0, 40, 200, 500])
def test_records_that_break_off_are_asked_for_again(
    proxied: Objects, proxy: Any, fault: Any, write_files: Write, pull: Pull, cut: int
):
    """boto3 takes an answer that breaks off in its head for a whole one without a body."""
    found = publish(proxied, write_files(SMALL), name="digits").found
    AliasMover(proxied, "digits", "production").advance(found)
    proxy.plan = lambda request: (
        fault(answer_bytes=cut) if "/models/" in request.path and request.number == 0 else None
    )
    proxy.seen.clear()
    assert pull(proxied, "digits@production").unreachable is None


def test_slow_answers(
    proxied: Objects,
    proxied_address: str,
    proxy: Any,
    fault: Any,
    write_files: Write,
    pull: Pull,
    monkeypatch: pytest.MonkeyPatch,
):
    publish(proxied, write_files(SMALL), name="digits")
    proxy.plan = lambda request: fault(seconds=0.3)
    assert pull(proxied, "digits").downloaded == 100_004
    monkeypatch.setattr(bucket_client, "READ_SECONDS", 0.5)
    impatient = open_objects(parse_address(proxied_address))
    proxy.plan = lambda request: fault(seconds=2.0) if request.number == 0 else None
    assert pull(impatient, "digits", cache="other").downloaded == 100_004
    proxy.plan = lambda request: fault(seconds=2.0)
    with pytest.raises(StoreUnreachableError, match="Read timeout"):
        pull(impatient, "letters")


def test_no_network(
    unreachable: str, write_files: Write, pull: Pull, open_store: Callable[[str], Objects]
):
    objects = open_objects(parse_address("s3://bucket/x"))
    with pytest.raises(StoreUnreachableError, match=f"^{unreachable} does not answer .Could not"):
        publish(objects, write_files(SMALL), name="digits")
    with pytest.raises(StoreUnreachableError, match="digits was not pulled from there before"):
        pull(objects, "digits")


def test_a_portal_that_answers_everything(
    proxied: Objects, proxy: Any, fault: Any, write_files: Write, pull: Pull
):
    """A hotel's network: 200, and a page that asks for a room number."""
    publish(proxied, write_files(SMALL), name="digits")
    proxy.plan = lambda request: fault(status=200, code="Welcome")
    for text in ("digits", "digits@production", "digits@1"):
        with pytest.raises(StoreError):
            pull(proxied, text)


@pytest.mark.parametrize("seed", range(12))
def test_random_faults(
    proxied: Any, proxy: Any, fault: Any, write_files: Write, pull: Pull, seed: int
):
    """Every third request fails somehow; whatever was said to be done is done."""
    dice = random.Random(seed)
    faults = [
        lambda: fault(status=500, code="InternalError"),
        lambda: fault(status=503, code="SlowDown"),
        lambda: fault(request_bytes=dice.randrange(1000)),
        lambda: fault(answer_bytes=0),
        lambda: fault(answer_bytes=dice.randrange(2000)),
    ]

    def plan(request: Any) -> Any:
        return dice.choice(faults)() if dice.random() < 0.3 else None

    known: dict[int, bytes] = {}
    for round_number in range(4):
        text = b"%d-%d" % (seed, round_number)
        folder = write_files({**SMALL, "n": text})
        proxy.plan = plan
        try:
            found = publish(proxied, folder, name="digits").found
            known[found.version.number] = text
            AliasMover(proxied, "digits", "production").advance(found)
        except StoreUnreachableError:
            found = None
        proxy.plan = lambda request: None
        if found is None:  # the user tries again, with a better network
            found = publish(proxied, folder, name="digits").found
            known[found.version.number] = text
            AliasMover(proxied, "digits", "production").advance(found)
        proxy.plan = plan
        try:
            pulled = pull(proxied, "digits@production")
            assert (pulled.folder / "n").read_bytes() in known.values()
        except StoreUnreachableError:
            pass
        proxy.plan = lambda request: None
        assert (pull(proxied, "digits@production").folder / "n").read_bytes() == text
    assert list_numbers(proxied, "digits") == sorted(known) == [1, 2, 3, 4]
    for number, text in known.items():
        folder = pull(proxied, f"digits@{number}", cache="fresh").folder
        assert (folder / "n").read_bytes() == text
