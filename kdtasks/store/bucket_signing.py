"""Sign a body by a hash that is known: the server compares it with what arrives.

Whatever is named after its SHA-256 is verified by the server against that name, without being
hashed anew here. botocore signs by a hash too, but computes it itself.
"""

import base64
from typing import Any

from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth
from botocore.exceptions import ClientError

_NAME = "s3v4-known-content"
_IN_CONTEXT = "kdtasks-sha256"
_HEADER = "x-amz-checksum-sha256"
_REPLACED = ("s3v4", "v4")  # other ways to sign do without the hash of the body
MISMATCH = "XAmzContentSHA256Mismatch"


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
