"""Read, list and delete the objects of a bucket."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from kdtasks.errors import StoreError, StoreMissingError, StoreUnreachableError
from kdtasks.store.address import BucketAddress
from kdtasks.store.bucket_client import ATTEMPTS
from kdtasks.store.bucket_errors import bucket_errors
from kdtasks.store.objects import RECORD_BYTES, Entry, Record

T = TypeVar("T")

_READ_BYTES = 256 << 10


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
