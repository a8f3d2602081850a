"""What is peculiar to S3; the rest is in test_objects.py."""

import base64
import hashlib
import io
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.parsers import ResponseParser

from kdtasks.core.errors import StoreError, StoreMissingError, StoreUnreachableError
from kdtasks.deploy.store import bucket as bucket_reader
from kdtasks.deploy.store import bucket_client, open_objects
from kdtasks.deploy.store.address import BLOBS, PROBES, parse_address
from kdtasks.deploy.store.catalogue import collect
from kdtasks.deploy.store.objects import PART_BYTES, LocalFile, Objects
from kdtasks.deploy.store.publish import GRACE
from kdtasks.deploy.store.threads import concurrently

BUCKET = "bucket"
REAL = [pytest.param("ceph", marks=pytest.mark.slow)]
ON_A_REAL_SERVER = pytest.mark.parametrize("server", REAL, indirect=True)
Open = Callable[[str], Objects]


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def objects(server: str, prefix: str, open_store: Open) -> Any:
    return open_store(f"s3://{BUCKET}/{prefix}")


def source(folder: Path, data: bytes) -> LocalFile:
    path = folder / "source"
    path.write_bytes(data)
    return LocalFile(path, len(data), hashlib.sha256(data).hexdigest())


def send(objects: Objects, key: str, file: LocalFile) -> None:
    objects.upload(key, file, lambda count: None)


def uploads(objects: Any, prefix: str) -> list[dict[str, Any]]:
    found = objects._client.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix)
    return list(found.get("Uploads", ()))


def test_keys_begin_with_the_prefix_and_no_probe_is_left(objects: Any, prefix: str):
    objects.create("models/a", b"x")
    listed = objects._client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    assert [found["Key"] for found in listed["Contents"]] == [f"{prefix}/models/a"]


def test_a_large_upload_that_fails_leaves_no_parts(
    objects: Any, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put = objects._client.upload_part

    def fail(**arguments: Any) -> Any:
        if arguments["PartNumber"] == 2:
            raise OSError("the disk is gone")
        return put(**arguments)

    monkeypatch.setattr(objects._client, "upload_part", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        send(objects, "blobs/a", source(tmp_path, bytes(PART_BYTES + 1)))
    assert objects.stat("blobs/a") is None
    assert uploads(objects, prefix) == []


def test_parts_of_a_killed_publisher_are_collected(objects: Any, prefix: str):
    objects._client.create_multipart_upload(Bucket=BUCKET, Key=f"{prefix}/{BLOBS}00")
    objects.create(f"{PROBES}00", b"1")
    if uploads(objects, prefix)[0]["Initiated"] > objects.now() - GRACE:  # moto says 2010
        assert objects.remove_leftovers(objects.now() - GRACE) == 0
    assert collect(objects, keep=1, grace=-GRACE).leftovers == 2
    assert uploads(objects, prefix) == []


def test_a_completed_upload_whose_answer_was_lost(
    objects: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    complete = objects._client.complete_multipart_upload

    def twice(**arguments: Any) -> Any:
        complete(**arguments)
        objects._client.abort_multipart_upload(
            Bucket=BUCKET, Key=arguments["Key"], UploadId=arguments["UploadId"]
        )
        raise objects._client.exceptions.NoSuchUpload(
            {"Error": {"Code": "NoSuchUpload"}}, "CompleteMultipartUpload"
        )

    monkeypatch.setattr(objects._client, "complete_multipart_upload", twice)
    monkeypatch.setattr(objects._client, "abort_multipart_upload", lambda **_: None)
    send(objects, "blobs/a", source(tmp_path, bytes(PART_BYTES + 1)))
    entry = objects.stat("blobs/a")
    assert entry is not None
    assert entry.size == PART_BYTES + 1


def test_an_upload_that_somebody_aborts(
    objects: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def gone(**_: Any) -> Any:
        raise objects._client.exceptions.NoSuchUpload(
            {"Error": {"Code": "NoSuchUpload"}}, "CompleteMultipartUpload"
        )

    monkeypatch.setattr(objects._client, "complete_multipart_upload", gone)
    with pytest.raises(StoreUnreachableError, match="was aborted by somebody else; run the same"):
        send(objects, "blobs/a", source(tmp_path, bytes(PART_BYTES + 1)))


@pytest.mark.parametrize("size", [100, PART_BYTES + 1])
def test_every_body_comes_with_a_hash(objects: Any, tmp_path: Path, size: int):
    """Contents with their SHA-256, records with their MD5."""
    sent: list[Any] = []

    def remember(request: Any, **_: Any) -> None:
        if request.body:
            sent.append(request.headers)

    for operation in ("PutObject", "UploadPart"):
        objects._client.meta.events.register(f"before-send.s3.{operation}", remember)
    send(objects, "blobs/a", source(tmp_path, os.urandom(size)))
    assert len(sent) == (1 if size < PART_BYTES else 2)
    assert all(headers["x-amz-checksum-sha256"] for headers in sent)
    sent.clear()
    objects.create("models/a", b"record")
    md5 = base64.b64encode(hashlib.md5(b"record").digest())
    assert [headers["Content-MD5"] for headers in sent] == [md5]


def test_an_answer_that_breaks_off_in_its_head_is_asked_for_again_and_then_refused(
    objects: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bucket_client, "_PAUSE_SECONDS", 0.0)
    put_requests: list[Any] = []
    parse = ResponseParser.parse

    def without_tag(self: Any, response: dict[str, Any], shape: Any) -> Any:
        parsed = parse(self, response, shape)
        if put_requests:
            parsed.pop("ETag", None)
        return parsed

    monkeypatch.setattr(ResponseParser, "parse", without_tag)
    objects._client.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: put_requests.append(request)
    )
    with pytest.raises(StoreUnreachableError, match="gave a malformed answer"):
        send(objects, "blobs/a", source(tmp_path, b"content"))
    assert len(put_requests) == bucket_client.ATTEMPTS


def test_a_record_that_is_far_too_large_is_not_read(objects: Any, monkeypatch: pytest.MonkeyPatch):
    objects.create("models/a", b"12345")
    monkeypatch.setattr(bucket_reader, "RECORD_BYTES", 4)
    with pytest.raises(StoreError, match="models/a has 5 bytes, which no record has"):
        objects.read("models/a")


def test_a_bucket_that_is_not_there(server: str):
    objects = open_objects(parse_address("s3://nobody"))
    for ask in (
        lambda: objects.read("models/a"),
        lambda: list(objects.list("models/")),
        lambda: objects.download("a", io.BytesIO(), print),
        objects.check_conditions,
    ):
        with pytest.raises(
            StoreError, match=r"in nobody with NoSuchBucket .*; create the bucket"
        ) as error:
            ask()
        assert not isinstance(error.value, StoreMissingError)


def test_without_credentials(server: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreError, match=r"no credentials for http.* were found .*; set AWS"):
        open_objects(parse_address(f"s3://{BUCKET}")).read("models/a")


def test_without_a_region(server: str, monkeypatch: pytest.MonkeyPatch, open_store: Open):
    """A server of one's own has none."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    open_store(f"s3://{BUCKET}/{uuid.uuid4().hex}").create("models/a", b"")


def test_settings_of_the_user_are_heeded(server: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    objects: Any = open_objects(parse_address(f"s3://{BUCKET}"))
    assert objects._client.meta.config.retries["total_max_attempts"] == 2
    for name, value in (
        ("AWS_PROFILE", "nobody"),
        ("AWS_ENDPOINT_URL", "nonsense"),
        ("AWS_MAX_ATTEMPTS", "many"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(StoreError, match=f"{value}.*; check AWS_ENDPOINT_URL, AWS_DEF"):
                open_objects(parse_address(f"s3://{BUCKET}"))


@ON_A_REAL_SERVER
def test_wrong_credentials_on_a_real_server(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """moto accepts any."""
    for name, message in (
        ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch .*; set AWS_ACCESS_KEY_ID"),
        ("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId .*; set AWS_ACCESS_KEY_ID"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, "wrong")
            objects = open_objects(parse_address(f"s3://{BUCKET}"))
            with pytest.raises(StoreError, match=message):
                objects.read("models/a")
            with pytest.raises(StoreError, match=message):
                objects.check_conditions()
            with pytest.raises(StoreError, match=message):
                collect(objects, keep=1)


@ON_A_REAL_SERVER
def test_a_wrong_clock_on_a_real_server(server: str, monkeypatch: pytest.MonkeyPatch):
    from datetime import timedelta

    from botocore import auth

    objects = open_objects(parse_address(f"s3://{BUCKET}"))
    now = auth.get_current_datetime
    monkeypatch.setattr(auth, "get_current_datetime", lambda *a, **k: now() + timedelta(hours=1))
    with pytest.raises(StoreError, match="set this machine's clock, it shows 20"):
        objects.read("models/a")


@ON_A_REAL_SERVER
def test_more_than_a_page_of_keys(
    server: str, monkeypatch: pytest.MonkeyPatch, open_store: Open, prefix: str
):
    """A server lists a thousand at a time."""
    objects = open_store(f"s3://{BUCKET}/{prefix}")
    concurrently(lambda number: objects.create(f"models/many/{number}", b""), range(1005))
    assert len(list(objects.list("models/many/"))) == 1005
