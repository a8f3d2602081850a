"""What is peculiar to S3; the rest is in test_objects.py."""

import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtasks.core.errors import StoreError, StoreMissingError, StoreUnreachableError
from kdtasks.deploy.store import bucket as bucket_reader
from kdtasks.deploy.store import open_objects
from kdtasks.deploy.store.address import BLOBS, PROBES, parse_address
from kdtasks.deploy.store.catalogue import collect
from kdtasks.deploy.store.objects import PART_BYTES, Background, Objects, Source
from kdtasks.deploy.store.publish import GRACE
from kdtasks.deploy.store.transfer import Transfers

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


def source(folder: Path, data: bytes) -> Source:
    path = folder / "source"
    path.write_bytes(data)
    return Source(path, len(data), hashlib.sha256(data).hexdigest(), path.stat().st_mtime_ns)


def send(objects: Objects, key: str, file: Source) -> None:
    transfers = Transfers()
    objects.upload(key, file, on_bytes=transfers.advance, run_parts=transfers.run)


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
            raise KeyboardInterrupt
        return put(**arguments)

    monkeypatch.setattr(objects._client, "upload_part", fail)
    with pytest.raises(KeyboardInterrupt):
        send(objects, "blobs/a", source(tmp_path, bytes(3 * PART_BYTES)))
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
def test_what_arrives_damaged_is_noticed(
    objects: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
):
    """Whether the server checks the MD5, as Ceph does, or not, as moto does not."""
    name = "put_object" if size < PART_BYTES else "upload_part"
    operation = getattr(objects._client, name)

    def damaged(**arguments: Any) -> Any:
        return operation(**{**arguments, "Body": b"!" + arguments["Body"][1:]})

    monkeypatch.setattr(objects._client, name, damaged)
    with pytest.raises(StoreError, match=r"arrive[sd] damaged|is not what was sent"):
        send(objects, "blobs/a", source(tmp_path, os.urandom(size)))
    assert objects.stat("blobs/a") is None


@ON_A_REAL_SERVER
def test_a_server_compares_a_content_with_the_name_it_gets(objects: Any, tmp_path: Path):
    """Even where nothing else tells that a file is not any more what it was."""
    hashed = source(tmp_path, b"content")
    hashed.path.write_bytes(b"changed")
    os.utime(hashed.path, ns=(hashed.modified_ns, hashed.modified_ns))
    with pytest.raises(StoreError, match=r"what arrived at http.* is not what was sent"):
        send(objects, "blobs/a", hashed)
    assert objects.stat("blobs/a") is None


@pytest.mark.parametrize("size", [100, PART_BYTES + 1])
def test_bodies_are_signed_by_their_hash_or_carry_their_md5(
    objects: Any, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
):
    """Every body has one of them; the hash is known, so it costs nothing."""
    sent: list[dict[str, str]] = []

    def remember(request: Any, **_: Any) -> None:
        if request.body:
            names = ("Content-MD5", "X-Amz-Content-SHA256", "x-amz-checksum-sha256")
            sent.append({name: request.headers.get(name) for name in names})

    is_checked = objects._checks_contents.result()
    objects._client.meta.events.register("before-send.s3.PutObject", remember)
    objects._client.meta.events.register("before-send.s3.UploadPart", remember)
    file = source(tmp_path, os.urandom(size))
    send(objects, "blobs/a", file)
    for headers in sent:
        assert headers["x-amz-checksum-sha256"] is None
        if is_checked and size < PART_BYTES:
            assert headers["Content-MD5"] is None
            assert headers["X-Amz-Content-SHA256"].decode() == file.sha256
        else:
            assert headers["Content-MD5"]
            assert headers["X-Amz-Content-SHA256"].decode() == "UNSIGNED-PAYLOAD"
    assert len(sent) == (1 if size < PART_BYTES else 2)


def test_whether_contents_are_checked_is_found_out(objects: Any, request: Any, prefix: str):
    """moto looks at no hash of a body; nothing stays of the question."""
    assert objects._checks_contents.result() == ("ceph" in request.node.callspec.id)
    objects.check_conditions()
    assert list(objects.list("")) == []


@pytest.mark.parametrize("size", [100, 3 * PART_BYTES])
def test_no_more_is_sent_to_a_server_that_does_not_heed_conditions(
    objects: Any, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
):
    def refuse() -> Any:
        raise StoreError("the server does not heed conditional writes")

    objects._conditions = Background(refuse)
    objects.begin_writing()
    objects._conditions.finish()
    with pytest.raises(StoreError, match="does not heed conditional writes"):
        send(objects, "blobs/a", source(tmp_path, os.urandom(size)))
    with pytest.raises(StoreError, match="does not heed conditional writes"):
        objects.create("models/a", b"1")
    assert list(objects.list("")) == []
    assert uploads(objects, prefix) == []


def test_what_others_have_put_there_meanwhile_stays(objects: Any, monkeypatch: pytest.MonkeyPatch):
    objects.check_conditions()
    put = objects._client.put_object

    def damaged_and_mended_by_others(**arguments: Any) -> Any:
        put(**arguments)
        put(Bucket=arguments["Bucket"], Key=arguments["Key"], Body=b"theirs")
        return {"ETag": '"of something else"'}

    monkeypatch.setattr(objects._client, "put_object", damaged_and_mended_by_others)
    with pytest.raises(StoreError, match="arrived damaged"):
        objects.create("models/a", b"ours")
    assert objects.read("models/a").data == b"theirs"


def test_tags_that_are_no_md5_are_not_compared(
    objects: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    conditions = objects._conditions.result()._replace(tags_are_md5=False)
    monkeypatch.setattr(objects._conditions, "result", lambda: conditions)
    put = objects._client.put_object
    monkeypatch.setattr(objects._client, "put_object", lambda **a: {**put(**a), "ETag": '"other"'})
    send(objects, "blobs/a", source(tmp_path, b"content"))
    assert objects.stat("blobs/a") is not None


def test_a_record_that_is_far_too_large_is_not_read(objects: Any, monkeypatch: pytest.MonkeyPatch):
    objects.create("models/a", b"12345")
    monkeypatch.setattr(bucket_reader, "RECORD_BYTES", 4)
    with pytest.raises(StoreError, match="models/a has 5 bytes, which no record has"):
        objects.read("models/a")


def test_a_server_that_knows_no_ranges(
    objects: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = os.urandom(600_000)
    send(objects, "blobs/a", source(tmp_path, data))
    get = objects._client.get_object

    def whole(**arguments: Any) -> Any:
        arguments.pop("Range")
        return get(**arguments)

    monkeypatch.setattr(objects._client, "get_object", whole)
    for start, length in ((0, 10), (5, 10), (300_000, 300_000), (262_144, 1)):
        found = b"".join(objects.download("blobs/a", start, length))
        assert found == data[start : start + length]


def test_a_bucket_that_is_not_there(server: str):
    objects = open_objects(parse_address("s3://nobody"))
    for ask in (
        lambda: objects.read("models/a"),
        lambda: list(objects.list("models/")),
        lambda: list(objects.download("a", 0, 1)),
        objects.check_conditions,
    ):
        with pytest.raises(StoreError, match="there is no bucket nobody at http") as error:
            ask()
        assert not isinstance(error.value, StoreMissingError)


def test_without_credentials(server: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreError, match=r"no credentials for http.* were found; set AWS_ACCESS"):
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
            with pytest.raises(StoreError, match=f"{value}.*; look at AWS_ENDPOINT_URL, AWS_DEF"):
                open_objects(parse_address(f"s3://{BUCKET}"))


@ON_A_REAL_SERVER
def test_wrong_credentials_on_a_real_server(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """moto accepts any."""
    for name, message in (
        ("AWS_SECRET_ACCESS_KEY", "the secret key does not belong to the access key"),
        ("AWS_ACCESS_KEY_ID", "does not know the access key"),
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
    with pytest.raises(StoreError, match="says that this machine's clock is wrong: it shows 20"):
        objects.read("models/a")


@ON_A_REAL_SERVER
def test_more_than_a_page_of_keys(
    server: str, monkeypatch: pytest.MonkeyPatch, open_store: Open, prefix: str
):
    """A server lists a thousand at a time."""
    objects = open_store(f"s3://{BUCKET}/{prefix}")
    Transfers().run(lambda number: objects.create(f"models/many/{number}", b""), range(1005))
    assert len(list(objects.list("models/many/"))) == 1005
