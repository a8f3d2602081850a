"""A store in a bucket: S3, or anything that speaks it."""

import base64
import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from kdtasks.errors import (
    StoreConflictError,
    StoreError,
    StoreMissingError,
    StoreUnreachableError,
)
from kdtasks.store.address import BucketAddress
from kdtasks.store.bucket_client import ATTEMPTS
from kdtasks.store.bucket_conditions import Conditions, find_conditions
from kdtasks.store.bucket_errors import bucket_errors
from kdtasks.store.bucket_parts import upload_parts
from kdtasks.store.layout import PROBES
from kdtasks.store.objects import (
    PART_BYTES,
    RECORD_BYTES,
    Entry,
    OnBytes,
    Record,
    RunParts,
    Source,
)

T = TypeVar("T")

_READ_BYTES = 256 << 10


class _DoubtfulError(Exception):
    """An answer does not say that what arrived is what was sent; its argument is the tag."""


class BucketObjects:
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

    def create(self, key: str, data: bytes) -> None:
        """Write a record that is not there yet."""
        self.check_conditions()
        self._put(key, data, IfNoneMatch="*")

    def replace(self, key: str, data: bytes, tag: str) -> None:
        """Write over the record that has `tag`."""
        try:
            self._put(key, data, IfMatch=self._conditions.if_match(tag))
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
        data = source.path.read_bytes()
        source.check_unchanged()
        self._put(key, data)
        on_bytes(len(data))

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

    def check_conditions(self) -> None:
        """Try conditional writes, once."""
        assert self._conditions

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

    @functools.cached_property
    def _conditions(self) -> Conditions:
        def put(key: str, data: bytes, **condition: str) -> str:
            at = {**self._at(key), **condition}
            try:
                return self._send(self._client.put_object, at, data, check_tag=False)
            except _DoubtfulError:
                raise StoreUnreachableError(
                    f"{self._endpoint} broke off; run the same command again"
                ) from None

        return find_conditions(put=put, read=self.read, delete=self.delete, endpoint=self._endpoint)

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

    def _put(self, key: str, data: bytes, **condition: str) -> str:
        """Send a small object, and look what has arrived where the answer leaves doubts."""
        try:
            return self._send(self._client.put_object, {**self._at(key), **condition}, data)
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
        check_tag: bool = True,
    ) -> str:
        """Send a body with its MD5, and compare the tag that comes back with it."""
        digest = hashlib.md5(data, usedforsecurity=False)
        md5 = base64.b64encode(digest.digest()).decode("ascii")
        with self._explained(arguments["Key"]):
            answer = operation(**arguments, Body=data, ContentMD5=md5)
        tag = str(answer.get("ETag", "")).strip('"')
        is_md5 = check_tag and self._conditions.tags_are_md5
        if not tag or (is_md5 and tag != digest.hexdigest()):
            raise _DoubtfulError(tag)
        return tag

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _explained(self, key: str) -> contextlib.AbstractContextManager[None]:
        return bucket_errors(self._bucket, self._endpoint, key)

    def _remember_date(self, http_response: Any, **_: Any) -> None:
        self._date = http_response.headers.get("date", self._date)
