"""A store in a bucket: S3, or anything that speaks it."""

import base64
import contextlib
import functools
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from kdtasks.errors import StoreConflictError, StoreMissingError, StoreUnreachableError
from kdtasks.store.address import BucketAddress
from kdtasks.store.background import Background
from kdtasks.store.bucket_client import ATTEMPTS
from kdtasks.store.bucket_conditions import Conditions, find_conditions, new_probe
from kdtasks.store.bucket_parts import upload_parts
from kdtasks.store.bucket_reader import BucketReader
from kdtasks.store.bucket_signing import checks_contents, known, sign_known_contents
from kdtasks.store.layout import PROBES
from kdtasks.store.objects import PART_BYTES, OnBytes, RunParts
from kdtasks.store.source import Source


class _DoubtfulError(Exception):
    """An answer does not say that what arrived is what was sent; its argument is the tag."""


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
