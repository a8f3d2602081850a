"""A store in a bucket: S3, or anything that speaks it."""

import base64
import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, TypeVar

from boto3.s3.transfer import ProgressCallbackInvoker
from s3transfer.exceptions import RetriesExceededError
from s3transfer.manager import TransferConfig, TransferManager

from kdtasks.core.errors import (
    StoreConflictError,
    StoreError,
    StoreMissingError,
    StoreUnreachableError,
)
from kdtasks.deploy.store.address import PROBES, BucketAddress
from kdtasks.deploy.store.bucket_client import ATTEMPTS, bucket_errors, find_if_match
from kdtasks.deploy.store.objects import (
    PART_BYTES,
    RECORD_BYTES,
    Entry,
    LocalFile,
    OnBytes,
    StoredRecord,
    VerifiedReader,
)
from kdtasks.deploy.store.threads import AT_ONCE, DaemonThreads

T = TypeVar("T")
_TRANSFERS = TransferConfig(
    multipart_threshold=PART_BYTES + 1,
    multipart_chunksize=PART_BYTES,
    max_request_concurrency=AT_ONCE,
)


class BucketObjects:
    """Objects of a bucket whose keys begin with the store's prefix."""

    def __init__(self, address: BucketAddress, client: Any) -> None:
        """Name the bucket and boto3's client; nothing is asked yet."""
        self._bucket, self._prefix = address
        self._client = client
        self._endpoint: str = client.meta.endpoint_url
        self._date = ""
        client.meta.events.register("after-call.s3", self._remember_date)
        self._manager = TransferManager(client, _TRANSFERS, executor_cls=DaemonThreads)

    @property
    def identity(self) -> str:
        """Endpoint, bucket and prefix."""
        return f"{self._endpoint}/{self._bucket}/{self._prefix}"

    def read(self, key: str) -> StoredRecord:
        """Give a record."""
        return self._ask(key, lambda: self._read_once(key))

    def create(self, key: str, data: bytes) -> None:
        """Write a record that does not exist yet."""
        self.check_conditions()
        self._put(key, data, IfNoneMatch="*")

    def replace(self, key: str, data: bytes, tag: str) -> None:
        """Write over the record that has `tag`."""
        try:
            self._put(key, data, IfMatch=self._if_match.format(tag=tag))
        except StoreMissingError:
            raise StoreConflictError(f"{key} was deleted by somebody else") from None

    def upload(self, key: str, file: LocalFile, on_bytes: OnBytes) -> None:
        """Send a file, in parts if it is large; the server can compare them with their hashes."""
        try:
            with self._explained(key), file.path.open("rb") as stream:
                self._manager.upload(
                    VerifiedReader(stream, file),
                    *self._at(key).values(),
                    extra_args={"ChecksumAlgorithm": "SHA256"},
                    subscribers=[ProgressCallbackInvoker(on_bytes)],
                ).result()
        except StoreMissingError:  # there is no such upload: completed, its answer lost, or aborted
            entry = self.stat(key)
            if entry is None or entry.size != file.size:
                raise StoreUnreachableError(
                    f"the upload of {file.path} was aborted by somebody else; run the same command "
                    "again"
                ) from None

    def download(self, key: str, stream: BinaryIO, on_bytes: OnBytes) -> None:
        """Fetch an object, in parts if it is large."""
        with self._explained(key):
            try:
                self._manager.download(
                    *self._at(key).values(), stream, subscribers=[ProgressCallbackInvoker(on_bytes)]
                ).result()
            except RetriesExceededError as error:
                raise error.last_exception from None

    def stat(self, key: str) -> Entry | None:
        """Describe an object."""

        def once() -> Entry:
            answer = self._client.head_object(**self._at(key))
            return Entry(key, answer["ContentLength"], answer["LastModified"])

        try:
            return self._ask(key, once)
        except StoreMissingError:
            return None

    def touch(self, key: str) -> None:
        """Copy an object onto itself, inside the server."""
        at = self._at(key)
        with self._explained(key):
            self._client.copy_object(**at, CopySource=at, MetadataDirective="REPLACE")

    def list(self, prefix: str) -> Iterator[Entry]:
        """Describe objects, a thousand a request."""
        for entry in self._list_all("list_objects_v2", "Contents", prefix):
            key = entry["Key"].removeprefix(self._prefix)
            yield Entry(key, entry["Size"], entry["LastModified"])

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
        _ = self._if_match

    def remove_leftovers(self, before: datetime) -> int:
        """Abort uploads in parts that nobody finished, and remove old probes."""
        removed = 0
        for upload in self._list_all("list_multipart_uploads", "Uploads"):
            if upload["Initiated"] < before:
                with self._explained(upload["Key"]):
                    self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                removed += 1
        for probe in tuple(self.list(PROBES)):
            if probe.modified < before:
                self.delete(probe.key)
                removed += 1
        return removed

    def _list_all(self, operation: str, kind: str, prefix: str = "") -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator(operation)
        with self._explained(prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                yield from page.get(kind, ())

    def _ask(self, key: str, once: Callable[[], T]) -> T:
        """Ask again where an answer broke off, which boto3 does not do."""
        for _ in range(ATTEMPTS - 1):
            try:
                with self._explained(key):
                    return once()
            except StoreUnreachableError:
                if not self._date:  # it never answered at all
                    raise
        with self._explained(key):
            return once()

    def _read_once(self, key: str) -> StoredRecord:
        answer = self._client.get_object(**self._at(key))
        with contextlib.closing(answer["Body"]) as body:
            length, tag = answer["ContentLength"], answer["ETag"].strip('"')
            if length > RECORD_BYTES:
                raise StoreError(f"{key} has {length} bytes, which no record has; delete it")
            return StoredRecord(body.read(), tag)

    @functools.cached_property
    def _if_match(self) -> str:
        """The form of a tag that this server wants."""
        return find_if_match(
            put=self._put, read=self.read, delete=self.delete, endpoint=self._endpoint
        )

    def _put(self, key: str, data: bytes, **condition: str) -> str:
        """Send a small object, and give its tag; every server compares it with its MD5."""
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode("ascii")
        with self._explained(key):
            answer = self._client.put_object(
                **self._at(key), Body=data, ContentMD5=md5, **condition
            )
            return str(answer["ETag"]).strip('"')

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _explained(self, key: str) -> contextlib.AbstractContextManager[None]:
        return bucket_errors(self._bucket, self._endpoint, key)

    def _remember_date(self, http_response: Any, **_: Any) -> None:
        self._date = http_response.headers.get("date", self._date)
