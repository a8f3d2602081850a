"""boto3's S3 client with the user's own settings: endpoint, credentials, region, attempts."""

import contextlib
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.session
from boto3.session import Session
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from kdtasks.core.errors import (
    StoreConflictError,
    StoreError,
    StoreMissingError,
    StoreUnreachableError,
)
from kdtasks.deploy.store.address import PROBES
from kdtasks.deploy.store.objects import StoredRecord
from kdtasks.deploy.store.threads import in_background, result_of

ATTEMPTS = 5  # unless AWS_MAX_ATTEMPTS or the profile says otherwise
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0  # without a byte

_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile that works"
)

_SETTINGS = "AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and the profile in ~/.aws/config"

# What to do about the errors of servers. HEAD answers carry a number in place of a name.
_ADVICE = {
    "NoSuchBucket": "create the bucket, or correct the address",
    "InvalidBucketName": "correct the address",
    "InvalidAccessKeyId InvalidClientTokenId SignatureDoesNotMatch InvalidToken": _CREDENTIALS,
    "ExpiredToken": "the credentials have expired, log in again",
    "RequestTimeTooSkewed RequestExpired": "set this machine's clock, it shows {time:%F %H:%M} UTC",
    "AccessDenied Forbidden 403": "ask the bucket's owner for that right, or use other credentials",
    "QuotaExceeded XMinioStorageFull InsufficientStorage": "raise the quota, or make room with "
    "kdtasks gc",
    "AuthorizationHeaderMalformed PermanentRedirect 301": "set AWS_DEFAULT_REGION to its region",
    "NotImplemented": "use a server that knows conditional writes, such as AWS or Ceph: without "
    "them two publishers can overwrite each other",
    "BadDigest XAmzContentSHA256Mismatch": "run the same command again",
}
_ADVICE_BY_CODE = {code: advice for codes, advice in _ADVICE.items() for code in codes.split()}

_ADDRESS = re.compile(r'(for|from|to|on)?( the)? ?(endpoint )?(URL)?:? ?"https?://[^"]*"')
_MISSING = ("NoSuchKey", "404", "NotFound", "NoSuchUpload")

_UNREACHABLE = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    HTTPError,
    ConnectionError,
    TimeoutError,
)

_TAGGED = ("GetObject", "PutObject", "UploadPart")
_PAUSE_SECONDS = 0.5

_FORMS = ('"{tag}"', "{tag}")
_NO_TAG = '"00000000000000000000000000000000"'


def make_client() -> Any:
    """Make the client.

    Records carry their MD5, which every server checks, and contents their SHA-256; botocore need
    not add checksums of its own, which many servers do not know.

    Raises:
        StoreError: a setting is wrong.
    """
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_read_date)
    try:
        attempts = core.get_config_variable("max_attempts") or ATTEMPTS
        config = Config(
            retries={"mode": "standard", "total_max_attempts": int(attempts)},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=32,
            tcp_keepalive=True,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"payload_signing_enabled": False},
        )
        client = Session(botocore_session=core).client("s3", config=config)
    except (BotoCoreError, ValueError) as error:  # ValueError: a malformed endpoint
        raise wrong_settings(error) from None
    # whether a body may be sent is not asked before each, which costs a round trip: credentials
    # and bucket are known to be right by then, since small records went first
    client.meta.events.unregister("before-call.s3", add_expect_header)
    client.meta.events.register("needs-retry.s3", _retry_broken_off)
    client.meta.events.register("after-call.s3", _refuse_broken_off)
    return client


def _read_date(text: str) -> datetime:
    """Read a date of a header or of a list; ten times as fast as botocore's own way."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


def _is_broken_off(answer: Any, content: dict[str, Any], operation: str) -> bool:
    """Whether an answer broke off in its head, which boto3 takes for a whole one."""
    return operation in _TAGGED and answer.status_code < 300 and "ETag" not in content


def _retry_broken_off(response: Any, operation: Any, attempts: int, **_: Any) -> float | None:
    """Give the seconds after which to ask again; null where there is no need to."""
    is_again = response is not None and attempts < ATTEMPTS
    is_again = is_again and _is_broken_off(response[0], response[1], operation.name)
    return _PAUSE_SECONDS if is_again else None


def _refuse_broken_off(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    if _is_broken_off(http_response, parsed, model.name):
        raise ResponseParserError(f"{model.name} was answered without a tag")


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
    except (
        exceptions.NoCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.PartialCredentialsError,
    ) as error:
        raise StoreError(
            f"no credentials for {endpoint} were found ({_short(error)}); {_CREDENTIALS}"
        ) from None
    except exceptions.SSLError as error:
        raise StoreError(
            f"{endpoint} has no trusted certificate ({_short(error)}); set AWS_CA_BUNDLE"
        ) from None
    except _UNREACHABLE as error:
        raise StoreUnreachableError(
            f"{endpoint} does not answer ({_short(error)}); check the network and AWS_ENDPOINT_URL"
        ) from None
    except (ResponseParserError, KeyError, ValueError) as error:
        # an answer that broke off in its head looks whole, and lacks what should follow
        raise StoreUnreachableError(
            f"{endpoint} gave a malformed answer ({_short(error)}); check the network (is "
            "there a login page?) and AWS_ENDPOINT_URL"
        ) from None
    except BotoCoreError as error:
        raise wrong_settings(error) from None


def wrong_settings(error: Exception) -> StoreError:
    """Say which of the user's own settings may be the reason."""
    return StoreError(f"{_short(error)}; check {_SETTINGS}")


def _explain(error: ClientError, bucket: str, endpoint: str, key: str) -> StoreError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    reported = error.response.get("Error", {})
    code, message = str(reported.get("Code", status)), reported.get("Message") or "no message"
    if status in (409, 412) and code in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
        return StoreConflictError(f"{key} was written by somebody else")
    if code in _MISSING:
        return StoreMissingError(f"{key} is not in s3://{bucket}")
    message = f"{endpoint} answers {error.operation_name} in {bucket} with {code} ({message})"
    if advice := _ADVICE_BY_CODE.get(code):
        return StoreError(f"{message}; {advice.format(time=datetime.now(UTC))}")
    if status >= 500 or code in ("SlowDown", "RequestTimeout", "Throttling"):
        return StoreUnreachableError(f"{message}, several times; try again later")
    return StoreError(message)


def _short(error: Exception) -> str:
    """An error in one line, without the address that the caller names anyway."""
    text = _ADDRESS.sub("", " ".join(str(error).split())).strip(" .:")
    return text[:200] or type(error).__name__


def find_if_match(
    *,
    put: Callable[..., str],
    read: Callable[[str], StoredRecord],
    delete: Callable[[str], None],
    endpoint: str,
) -> str:
    """Try conditional writes; what does not depend on each other is tried side by side.

    Args:
        put: writes bytes under a key on boto3's conditions and gives the tag.
        read: gives content and tag.
        delete: removes.
        endpoint: the server's name for errors.

    Returns: the form of a tag that the server's If-Match wants, with a place for the `tag`.

    Raises:
        StoreError: it writes over what it was asked not to.
    """

    def create() -> tuple[str, str]:
        key = f"{PROBES}{secrets.token_hex(16)}"
        try:
            return key, put(key, b"1", IfNoneMatch="*")
        except StoreConflictError:  # nobody else knows the key: written, and the answer was lost
            return key, read(key).tag

    def is_refused(key: str, **condition: str) -> bool:
        try:
            put(key, b"2", **condition)
        except StoreConflictError:
            return True
        return False

    def refuses() -> bool:
        key, _ = create()
        other = in_background(is_refused, key, IfMatch=_NO_TAG)
        answers = (is_refused(key, IfNoneMatch="*"), result_of(other))
        delete(key)
        return all(answers)

    def find_form() -> str | None:
        key, tag = create()
        last = ""
        while tag != last:
            for form in _FORMS:
                if not is_refused(key, IfMatch=form.format(tag=tag)):
                    delete(key)
                    return form
            last, tag = tag, read(key).tag  # another tag: it was written, and the answer lost
        delete(key)
        return None

    refusing = in_background(refuses)
    form = find_form()
    if not result_of(refusing) or form is None:
        raise StoreError(
            f"{endpoint} ignores conditional writes, so that two publishers could overwrite "
            "each other; use a server that does, such as AWS or Ceph"
        )
    return form
