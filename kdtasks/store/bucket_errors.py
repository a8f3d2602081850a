"""Errors of S3 and of the network, in one line each that says how to mend them."""

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from kdtasks.errors import (
    StoreConflictError,
    StoreError,
    StoreMissingError,
    StoreUnreachableError,
)

_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile that works"
)
_SETTINGS = "AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and the profile in ~/.aws/config"
# Each: what the server calls it, and what to say. HEAD answers carry a number in place of a name.
_CLIENT_ERRORS = {
    "NoSuchBucket": "there is no bucket {bucket} at {endpoint}; create it, or correct the address",
    "InvalidBucketName": "{bucket} is no name of a bucket; correct the address",
    "InvalidAccessKeyId": f"{{endpoint}} does not know the access key; {_CREDENTIALS}",
    "SignatureDoesNotMatch": "{endpoint} says that the secret key does not belong to the access "
    f"key; {_CREDENTIALS}",
    "ExpiredToken": "the credentials for {endpoint} have expired; log in again",
    "InvalidToken": f"{{endpoint}} does not accept the session token; {_CREDENTIALS}",
    "RequestTimeTooSkewed": "{endpoint} says that this machine's clock is wrong: it shows {time}; "
    "set the clock",
    "AccessDenied": "{endpoint} does not let these credentials do {operation} in {bucket}; ask its "
    "owner, or use other credentials",
    "QuotaExceeded": "the quota of {bucket} is used up; make room with kdtasks gc or raise it",
    "AuthorizationHeaderMalformed": "{bucket} is in another region; set AWS_DEFAULT_REGION to it",
    "PermanentRedirect": "{bucket} is in another region; set AWS_DEFAULT_REGION to it",
    "NotImplemented": "{endpoint} does not know conditional writes, without which two publishers "
    "can overwrite each other; use a server that does, such as AWS or Ceph",
    "BadDigest": "what arrived at {endpoint} is not what was sent; run the same command again",
}
_SAME = {
    "403": "AccessDenied",
    "Forbidden": "AccessDenied",
    "InvalidClientTokenId": "InvalidAccessKeyId",
    "RequestExpired": "RequestTimeTooSkewed",
    "301": "PermanentRedirect",
    "XMinioStorageFull": "QuotaExceeded",
    "InsufficientStorage": "QuotaExceeded",
    "XAmzContentSHA256Mismatch": "BadDigest",
}
_ADDRESS = re.compile(r'(for|from|to|on)?( the)? ?(endpoint )?(URL)?:? ?"https?://[^"]*"')
_MISSING = ("NoSuchKey", "404", "NotFound", "NoSuchUpload")
_UNREACHABLE = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    exceptions.ConnectionClosedError,
    HTTPError,
    ConnectionError,
    TimeoutError,
)


@contextlib.contextmanager
def bucket_errors(bucket: str, endpoint: str, key: str = "") -> Iterator[None]:
    """Turn every error of boto3 in the block into one line.

    Raises:
        StoreConflictError: a condition did not hold.
        StoreMissingError: the bucket is there, the object is not.
        StoreUnreachableError: no answer, or none that makes sense.
        StoreError: the server refuses, or the settings are wrong.
    """
    try:
        yield
    except ClientError as error:
        raise _explain(error, bucket, endpoint, key) from None
    except (exceptions.NoCredentialsError, exceptions.CredentialRetrievalError):
        raise StoreError(f"no credentials for {endpoint} were found; {_CREDENTIALS}") from None
    except exceptions.PartialCredentialsError as error:
        raise StoreError(f"{error}; {_CREDENTIALS}") from None
    except exceptions.SSLError as error:
        raise StoreError(
            f"{endpoint} has no certificate that this machine trusts ({_short(error)}); set "
            "AWS_CA_BUNDLE to the right one"
        ) from None
    except _UNREACHABLE as error:
        raise StoreUnreachableError(
            f"{endpoint} does not answer ({_short(error)}); look at the network and at "
            "AWS_ENDPOINT_URL"
        ) from None
    except (ResponseParserError, KeyError, ValueError) as error:
        # an answer that broke off in its head looks whole, and lacks what should follow
        raise StoreUnreachableError(
            f"{endpoint} gave an answer without sense ({_short(error)}); look at the network (must "
            "one log in?) and at AWS_ENDPOINT_URL"
        ) from None
    except BotoCoreError as error:
        raise wrong_settings(error) from None


def wrong_settings(error: Exception) -> StoreError:
    """Say which of the user's own settings may be the reason."""
    return StoreError(f"{_short(error)}; look at {_SETTINGS}")


def _explain(error: ClientError, bucket: str, endpoint: str, key: str) -> StoreError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(error.response.get("Error", {}).get("Code", status))
    if status in (409, 412) and code in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
        return StoreConflictError(f"{key} was written by somebody else")
    if code in _MISSING:
        return StoreMissingError(f"{key} is not in s3://{bucket}")
    words = _CLIENT_ERRORS.get(_SAME.get(code, code))
    if words:
        operation, time = error.operation_name, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        return StoreError(
            words.format(bucket=bucket, endpoint=endpoint, operation=operation, time=time)
        )
    message = error.response.get("Error", {}).get("Message") or "no message"
    told = f"{endpoint} answered {error.operation_name} with {code} ({message})"
    if status >= 500 or code in ("SlowDown", "RequestTimeout", "Throttling"):
        return StoreUnreachableError(f"{told}, several times; try again later")
    return StoreError(told)


def _short(error: Exception) -> str:
    """An error in one line, without the address that the caller names anyway."""
    text = _ADDRESS.sub("", " ".join(str(error).split())).strip(" .:")
    return text[:200] or type(error).__name__
