"""A bucket that refuses in the middle: what was there stays, and the next try completes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.objects import Objects
from kdtasks.deploy.store.promotion import AliasMover
from kdtasks.deploy.store.publish import publish
from kdtasks.deploy.store.pull import PullResult
from kdtasks.deploy.store.records import list_numbers
from tests.deploy.store.network.conftest import SMALL, is_blob

Write = Callable[..., Path]
Pull = Callable[..., PullResult]
REFUSALS = [
    (403, "AccessDenied", "ask the bucket's owner for that right"),
    (400, "ExpiredToken", "have expired, log in again"),
    (403, "SignatureDoesNotMatch", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    (403, "RequestTimeTooSkewed", "set this machine's clock"),
    (403, "QuotaExceeded", "make room with kdtasks gc"),
    (404, "NoSuchBucket", "create the bucket, or correct the address"),
]
ON_MOTO = pytest.mark.parametrize("server", ["moto"], indirect=True)


@ON_MOTO
@pytest.mark.parametrize(("status", "code", "message"), REFUSALS)
def test_a_publisher_that_is_refused_in_the_middle(
    proxied: Objects,
    proxy: Any,
    fault: Any,
    write_files: Write,
    pull: Pull,
    status: int,
    code: str,
    message: str,
):
    """A password that expires, a clock that is set, a bucket that goes: what was there stays."""
    AliasMover(proxied, "digits", "production").advance(
        publish(proxied, write_files(SMALL), name="digits").found
    )
    folder = write_files({**SMALL, "n": b"2"}, folder="second")
    for where in ("/blobs/sha256/", "/versions/2.json", "/aliases/"):
        proxy.plan = lambda request, where=where: (
            fault(status=status, code=code)
            if request.method == "PUT" and where in request.path
            else None
        )
        with pytest.raises(StoreError, match=message):
            AliasMover(proxied, "digits", "production").advance(
                publish(proxied, folder, name="digits").found
            )
        proxy.plan = lambda request: None
        assert list_numbers(proxied, "digits") == ([1, 2] if where == "/aliases/" else [1])
        assert pull(proxied, "digits@production").version.number == 1
    AliasMover(proxied, "digits", "production").advance(
        publish(proxied, folder, name="digits").found
    )
    assert pull(proxied, "digits@production").version.number == 2
    assert list_numbers(proxied, "digits") == [1, 2]


@ON_MOTO
@pytest.mark.parametrize(("status", "code", "message"), REFUSALS)
def test_a_pull_that_is_refused_in_the_middle(
    proxied: Objects,
    proxy: Any,
    fault: Any,
    write_files: Write,
    pull: Pull,
    tmp_path: Path,
    status: int,
    code: str,
    message: str,
):
    target = tmp_path / "out"
    publish(proxied, write_files(SMALL), name="digits")
    pull(proxied, "digits", target=target)
    publish(proxied, write_files({**SMALL, "n": b"2"}), name="digits")
    proxy.plan = lambda request: fault(status=status, code=code) if is_blob(request) else None
    with pytest.raises(StoreError, match=message):
        pull(proxied, "digits", target=target)
    assert not (target / "n").exists()
    assert (target / "labels.txt").read_bytes() == SMALL["labels.txt"]
    proxy.plan = lambda request: None
    pull(proxied, "digits", target=target)
    assert (target / "n").read_bytes() == b"2"
