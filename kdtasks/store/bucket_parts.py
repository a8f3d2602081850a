"""Send a large file to a bucket in parts, several at once."""

import contextlib
import math
import os
import threading
from collections.abc import Callable
from typing import Any

from kdtasks.errors import StoreError, StoreMissingError, StoreUnreachableError
from kdtasks.store.objects import PART_BYTES, OnBytes, RunParts
from kdtasks.store.source import Source

_MOST_PARTS = 10_000  # S3's limit
# A file with parts for every worker is sent in larger ones: that is half of the requests.
_LARGE_BYTES = 256 << 20
_LARGE_PART_BYTES = 16 << 20

Explained = Callable[[], contextlib.AbstractContextManager[None]]


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
