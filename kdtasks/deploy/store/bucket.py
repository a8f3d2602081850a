"""A store in a bucket: S3, or anything that speaks it."""

import base64
import contextlib
import functools
import hashlib
import math
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth
from botocore.exceptions import ClientError

from kdtasks.core.errors import (
    StoreConflictError,
    StoreError,
    StoreMissingError,
    StoreUnreachableError,
)
from kdtasks.deploy.store.address import PROBES, BucketAddress
from kdtasks.deploy.store.bucket_client import (
    ATTEMPTS,
    Conditions,
    bucket_errors,
    find_conditions,
    new_probe,
)
from kdtasks.deploy.store.objects import (
    PART_BYTES,
    RECORD_BYTES,
    Background,
    Entry,
    OnBytes,
    Record,
    RunParts,
    Source,
)

T = TypeVar("T")
_READ_BYTES = 256 << 10
_MOST_PARTS = 10_000  # S3's limit

# A file with parts for every worker is sent in larger ones: that is half of the requests.
_LARGE_BYTES = 256 << 20
_LARGE_PART_BYTES = 16 << 20
Explained = Callable[[], contextlib.AbstractContextManager[None]]
_NAME = "s3v4-known-content"
_IN_CONTEXT = "kdtasks-sha256"
_HEADER = "x-amz-checksum-sha256"
_REPLACED = ("s3v4", "v4")  # other ways to sign do without the hash of the body
MISMATCH = "XAmzContentSHA256Mismatch"


class _DoubtfulError(Exception):
    """An answer does not say that what arrived is what was sent; its argument is the tag."""


class BucketReader:
    """Objects of a bucket whose keys begin with the store's prefix."""

    def __init__(self, address: BucketAddress, client: Any) -> None:
        """Name the bucket and boto3's client; nothing is asked yet."""
        self._bucket, self._prefix = address
        self._client = client
        self._endpoint: str = client.meta.endpoint_url
        self._date = ""
        client.meta.events.register("after-call.s3", self._remember_date)

    @property
    def identity(self) -> str:
        """Endpoint, bucket and prefix."""
        return f"{self._endpoint}/{self._bucket}/{self._prefix}"

    def read(self, key: str) -> Record:
        """Give a record."""
        return self._ask(lambda: self._read_once(key))

    def download(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Give a range of an object."""
        with self._explained(key):
            answer = self._client.get_object(
                **self._at(key), Range=f"bytes={start}-{start + length - 1}"
            )
            status = answer["ResponseMetadata"]["HTTPStatusCode"]
            skipped = 0 if status == 206 else start  # 200: the server knows no ranges
            with answer["Body"] as stream:
                # read1, where urllib3 has it, hands out what has come before a connection breaks
                read = getattr(stream, "read1", stream.read)
                while length > 0 and (chunk := read(_READ_BYTES)):
                    if skipped >= len(chunk):
                        skipped -= len(chunk)
                        continue
                    chunk, skipped = chunk[skipped:][:length], 0
                    length -= len(chunk)
                    yield chunk

    def stat(self, key: str) -> Entry | None:
        """Describe an object."""

        def once() -> Entry:
            with self._explained(key):
                answer = self._client.head_object(**self._at(key))
                return Entry(key, answer["ContentLength"], answer["LastModified"])

        try:
            return self._ask(once)
        except StoreMissingError:
            return None

    def touch(self, key: str) -> None:
        """Copy an object onto itself, inside the server."""
        at = self._at(key)
        with self._explained(key):
            self._client.copy_object(**at, CopySource=at, MetadataDirective="REPLACE")

    def list(self, prefix: str) -> Iterator[Entry]:
        """Describe objects, a thousand a request."""
        pages = self._client.get_paginator("list_objects_v2")
        with self._explained(prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for found in page.get("Contents", ()):
                    key = found["Key"].removeprefix(self._prefix)
                    yield Entry(key, found["Size"], found["LastModified"])

    def delete(self, key: str) -> None:
        """Remove an object."""
        with self._explained(key):
            self._client.delete_object(**self._at(key))

    def now(self) -> datetime:
        """The date of the server's last answer."""
        if not self._date:
            with self._explained(""):
                self._client.head_bucket(Bucket=self._bucket)
        return parsedate_to_datetime(self._date)

    def _ask(self, once: Callable[[], T]) -> T:
        """Ask again where an answer broke off, which boto3 does not do."""
        for _ in range(ATTEMPTS - 1):
            try:
                return once()
            except StoreUnreachableError:
                if not self._date:  # it never answered at all
                    raise
        return once()

    def _read_once(self, key: str) -> Record:
        with self._explained(key):
            answer = self._client.get_object(**self._at(key))
            with contextlib.closing(answer["Body"]) as body:
                length, tag = answer["ContentLength"], answer["ETag"].strip('"')
                if length > RECORD_BYTES:
                    raise StoreError(
                        f"{key} has {length} bytes, which no record has; delete it if nobody "
                        "knows it"
                    )
                return Record(body.read(), tag)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _explained(self, key: str) -> contextlib.AbstractContextManager[None]:
        return bucket_errors(self._bucket, self._endpoint, key)

    def _remember_date(self, http_response: Any, **_: Any) -> None:
        self._date = http_response.headers.get("date", self._date)


class BucketObjects(BucketReader):
    """A bucket that is written to as well, once it is known how its server takes it."""

    def __init__(self, address: BucketAddress, client: Any) -> None:
        """Name the bucket and boto3's client; nothing is asked yet."""
        super().__init__(address, client)
        sign_known_contents(client)
        self._conditions = Background(self._find_conditions)
        self._checks_contents = Background(self._find_whether_contents_are_checked)

    def create(self, key: str, data: bytes) -> None:
        """Write a record that is not there yet."""
        self.check_conditions()
        self._put(key, data, IfNoneMatch="*")

    def replace(self, key: str, data: bytes, tag: str) -> None:
        """Write over the record that has `tag`."""
        try:
            self._put(key, data, IfMatch=self._conditions.result().if_match(tag))
        except StoreMissingError:
            raise StoreConflictError(f"{key} was deleted by somebody else") from None

    def upload(self, key: str, source: Source, *, on_bytes: OnBytes, run_parts: RunParts) -> None:
        """Send a file, in parts if it is large."""
        if source.size > PART_BYTES:
            upload_parts(
                self._client,
                self._at(key),
                source,
                explained=functools.partial(self._explained, key),
                put=self._send_part,
                on_bytes=on_bytes,
                run_parts=run_parts,
            )
            return
        source = source.confirmed()
        sha256 = source.sha256 if self._checks_contents.result() else None
        self._conditions.check()
        data = source.path.read_bytes()
        source.check_unchanged()
        self._put(key, data, sha256)
        on_bytes(len(data))

    def begin_writing(self) -> None:
        """Try conditional writes, and whether contents are checked, in the background."""
        self._checks_contents.start()
        self._conditions.start()

    def check_conditions(self) -> None:
        """Try conditional writes, once."""
        self._conditions.result()
        self._checks_contents.finish()  # leave no probe behind

    def remove_leftovers(self, before: datetime) -> int:
        """Abort uploads in parts that nobody finished, and remove old probes."""
        removed = 0
        pages = self._client.get_paginator("list_multipart_uploads")
        with self._explained("uploads"):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for found in page.get("Uploads", ()):
                    if found["Initiated"] < before:
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=found["Key"], UploadId=found["UploadId"]
                        )
                        removed += 1
        for probe in tuple(self.list(PROBES)):
            if probe.modified < before:
                self.delete(probe.key)
                removed += 1
        return removed

    def _find_conditions(self) -> Conditions:
        def put(key: str, data: bytes, **condition: str) -> str:
            at = {**self._at(key), **condition}
            try:
                return self._send(self._client.put_object, at, data, check_tag=False)
            except _DoubtfulError:
                raise StoreUnreachableError(
                    f"{self._endpoint} broke off; run the same command again"
                ) from None

        return find_conditions(put=put, read=self.read, delete=self.delete, endpoint=self._endpoint)

    def _find_whether_contents_are_checked(self) -> bool:
        probe = new_probe()
        with self._explained(probe):
            return checks_contents(self._client, self._at(probe))

    def _put(self, key: str, data: bytes, sha256: str | None = None, **condition: str) -> str:
        """Send a small object, and look what has arrived where the answer leaves doubts."""
        at = {**self._at(key), **condition}
        try:
            return self._send(self._client.put_object, at, data, sha256)
        except _DoubtfulError as doubtful:
            found = self.read(key)
            if found.data == data:
                return found.tag
            # by its tag it is what this write left, not what somebody has put there since
            if "IfMatch" not in condition and doubtful.args == (found.tag,):
                self.delete(key)
            raise StoreUnreachableError(
                f"{key} arrived damaged at {self._endpoint}; run the same command again"
            ) from None

    def _send_part(
        self, operation: Callable[..., dict[str, Any]], arguments: dict[str, Any], data: bytes
    ) -> str:
        """Send a part, and once more where the answer leaves doubts."""
        for _ in range(ATTEMPTS):
            self._conditions.check()  # send no more to a server that turns out to be of no use
            with contextlib.suppress(_DoubtfulError):
                return self._send(operation, arguments, data)
        raise StoreUnreachableError(
            f"a part of {arguments['Key']} arrives damaged at {self._endpoint} every time; look at "
            "the network"
        )

    def _send(
        self,
        operation: Callable[..., dict[str, Any]],
        arguments: dict[str, Any],
        data: bytes,
        sha256: str | None = None,
        check_tag: bool = True,
    ) -> str:
        """Send a body signed by the hash given, or else with its MD5, and give the tag.

        An MD5 is also compared with the tag, since there are servers that do not look at it.
        """
        expected, checksum = "", known(sha256) if sha256 else {}
        if not checksum:
            md5 = hashlib.md5(data, usedforsecurity=False)
            expected = md5.hexdigest() if check_tag else ""
            checksum["ContentMD5"] = base64.b64encode(md5.digest()).decode("ascii")
        with self._explained(arguments["Key"]):
            answer = operation(**arguments, Body=data, **checksum)
        tag = str(answer.get("ETag", "")).strip('"')
        is_other = expected not in ("", tag) and self._conditions.result().tags_are_md5
        if not tag or is_other:
            raise _DoubtfulError(tag)
        return tag


def upload_parts(
    client: Any,
    at: dict[str, str],
    source: Source,
    *,
    explained: Explained,
    put: Callable[[Callable[..., dict[str, Any]], dict[str, Any], bytes], str],
    on_bytes: OnBytes,
    run_parts: RunParts,
) -> None:
    """Send `source`; nothing can be seen of it until all has arrived and its hash is confirmed.

    Arguments:
        client: boto3's.
        at: bucket and key.
        explained: gives a context that turns boto3's errors into the project's.
        put: sends a body by an operation with its arguments, checks it, and gives its tag.
        on_bytes, run_parts: as for `Objects.upload`.
    """
    part_bytes = part_bytes_of(source.size)
    tags: dict[int, str] = {}
    with explained():
        upload = {**at, "UploadId": client.create_multipart_upload(**at)["UploadId"]}
    try:
        with source.path.open("rb") as file:

            def send(index: int) -> None:
                data = os.pread(file.fileno(), part_bytes, index * part_bytes)
                number = index + 1
                tags[number] = put(client.upload_part, {**upload, "PartNumber": number}, data)
                on_bytes(len(data))

            run_parts(send, range(math.ceil(source.size / part_bytes)))
        source.confirmed().check_unchanged()
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in sorted(tags.items())]
        try:
            with explained():
                client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except StoreMissingError:  # there is no such upload any more
            _check_completed(client, at, source, explained)
    except BaseException:
        _abort(client, upload, explained)
        raise


def part_bytes_of(size: int) -> int:
    """Bytes of every part but the last of a file."""
    least = PART_BYTES if size < _LARGE_BYTES else _LARGE_PART_BYTES
    return max(least, math.ceil(size / _MOST_PARTS))


def _check_completed(client: Any, at: dict[str, str], source: Source, explained: Explained) -> None:
    """Tell an upload that was completed, its answer lost, from one that somebody aborted."""
    try:
        with explained():
            if client.head_object(**at)["ContentLength"] == source.size:
                return
    except StoreMissingError:
        pass
    raise StoreUnreachableError(
        f"the upload of {source.path} was aborted by somebody else; run the same command again"
    )


def _abort(client: Any, upload: dict[str, str], explained: Explained) -> None:
    """Try to free the parts that have arrived; gc does it otherwise."""

    def abort() -> None:
        with contextlib.suppress(StoreError), explained():
            client.abort_multipart_upload(**upload)

    thread = threading.Thread(target=abort, daemon=True)
    thread.start()
    thread.join(2.0)  # the network may be the reason, and somebody may have pressed Ctrl-C


class KnownContentAuth(S3SigV4Auth):
    """S3's signature over a hash that was given."""

    def payload(self, request: Any) -> str:
        """The hash, hex."""
        return str(request.context[_IN_CONTEXT])


AUTH_TYPE_MAPS[_NAME] = KnownContentAuth


def sign_known_contents(client: Any) -> None:
    """Let a client sign by its hash every body that comes with one, as `known` gives it."""
    events = client.meta.events
    events.register("before-call.s3", _take_hash)
    events.register_first("choose-signer.s3", _choose_signer)


def known(sha256: str) -> dict[str, str]:
    """Give the argument of an operation that brings along the hash, hex, of its body."""
    return {"ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode("ascii")}


def checks_contents(client: Any, at: dict[str, str]) -> bool:
    """Try whether the server refuses a body whose hash is another than the one signed.

    Arguments:
        at: bucket and key of an object of no meaning; it is not left there.
    """
    try:
        client.put_object(**at, Body=b"1", **known("0" * 64))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise
        return bool(error.response["Error"].get("Code") == MISMATCH)
    client.delete_object(**at)
    return False


def _take_hash(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    # as a header of its own it would oblige every part and the whole to carry it
    value = params["headers"].pop(_HEADER, None)
    if value:
        context[_IN_CONTEXT] = base64.b64decode(value).hex()


def _choose_signer(context: dict[str, Any], signature_version: Any, **_: Any) -> str | None:
    is_known = _IN_CONTEXT in context and signature_version in _REPLACED
    return _NAME if is_known else None
