"""Whatever S3 or the network says, the user gets one line that says how to mend it."""

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ProtocolError

from kdtasks.core.errors import (
    StoreConflictError,
    StoreError,
    StoreMissingError,
    StoreUnreachableError,
)
from kdtasks.deploy.store.bucket_client import bucket_errors

ENDPOINT = "http://server"


def explain(error: Exception) -> StoreError:
    with pytest.raises(StoreError) as raised, bucket_errors("bucket", ENDPOINT, "models/a"):
        raise error
    assert "\n" not in str(raised.value)
    return raised.value


def answer(code: str, status: int, message: str = "words") -> ClientError:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "PutObject")


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("NoSuchBucket", 404, r"in bucket with NoSuchBucket \(words\); create the bucket, or"),
        (
            "InvalidAccessKeyId",
            403,
            r"with InvalidAccessKeyId \(words\); set AWS_ACCESS_KEY_ID and",
        ),
        ("SignatureDoesNotMatch", 403, "; set AWS_ACCESS_KEY_ID and"),
        ("ExpiredToken", 400, "have expired, log in again"),
        ("RequestTimeTooSkewed", 403, r"set this machine's clock, it shows 20\d\d-.* UTC"),
        ("AccessDenied", 403, "answers PutObject in bucket with AccessDenied .*; ask the bucket's"),
        ("403", 403, "; ask the bucket's owner for that right"),
        ("QuotaExceeded", 403, "; raise the quota, or make room with kdtasks gc"),
        ("PermanentRedirect", 301, "; set AWS_DEFAULT_REGION"),
        ("NotImplemented", 501, "knows conditional writes"),
        ("BadDigest", 400, "; run the same command again"),
        ("EntityTooLarge", 400, r"answers PutObject in bucket with EntityTooLarge \(words\)$"),
    ],
)
def test_what_a_server_refuses(code: str, status: int, message: str):
    error = explain(answer(code, status))
    assert not isinstance(error, StoreUnreachableError)
    with pytest.raises(StoreError, match=message):
        raise error


@pytest.mark.parametrize("code", ["NoSuchKey", "404", "NoSuchUpload"])
def test_what_is_missing(code: str):
    error = explain(answer(code, 404))
    assert isinstance(error, StoreMissingError)
    assert str(error) == "models/a is not in s3://bucket"


@pytest.mark.parametrize(
    ("code", "status"),
    [("PreconditionFailed", 412), ("412", 412), ("ConditionalRequestConflict", 409)],
)
def test_conditions_that_do_not_hold(code: str, status: int):
    assert isinstance(explain(answer(code, status)), StoreConflictError)


@pytest.mark.parametrize(
    ("code", "status"),
    [("InternalError", 500), ("SlowDown", 503), ("503", 503), ("RequestTimeout", 400)],
)
def test_servers_in_trouble(code: str, status: int):
    error = explain(answer(code, status))
    assert isinstance(error, StoreUnreachableError)
    assert (
        f"answers PutObject in bucket with {code} (words), several times; try again later"
        in str(error)
    )


@pytest.mark.parametrize(
    "error",
    [
        exceptions.EndpointConnectionError(endpoint_url=ENDPOINT),
        exceptions.ConnectTimeoutError(endpoint_url=ENDPOINT),
        exceptions.ReadTimeoutError(endpoint_url=ENDPOINT),
        exceptions.ConnectionClosedError(endpoint_url=ENDPOINT),
        exceptions.ProxyConnectionError(proxy_url=ENDPOINT),
        exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        exceptions.ResponseStreamingError(error="cut"),
        ProtocolError("cut"),
        ConnectionResetError("reset"),
        TimeoutError(),
    ],
)
def test_no_network(error: Exception):
    explained = explain(error)
    assert isinstance(explained, StoreUnreachableError)
    assert str(explained).startswith("http://server does not answer (")
    assert "check the network and AWS_ENDPOINT_URL" in str(explained)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("ETag"),
        ValueError("Invalid timestamp"),
        ResponseParserError("Unable to parse response"),
    ],
)
def test_answers_without_sense(error: Exception):
    explained = explain(error)
    assert isinstance(explained, StoreUnreachableError)
    assert "gave a malformed answer" in str(explained)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            exceptions.NoCredentialsError(),
            r"no credentials for http://server were found \(.*\); set AWS_",
        ),
        (
            exceptions.PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"),
            r"aws_secret_access_key\); set AWS_ACCESS_KEY_ID and",
        ),
        (
            exceptions.SSLError(endpoint_url=ENDPOINT, error="self-signed"),
            "no trusted certificate .*; set AWS_CA_BUNDLE",
        ),
        (exceptions.ProfileNotFound(profile="nobody"), "nobody.* check AWS_ENDPOINT_URL"),
    ],
)
def test_settings_that_are_wrong(error: Exception, message: str):
    explained = explain(error)
    assert not isinstance(explained, StoreUnreachableError)
    with pytest.raises(StoreError, match=message):
        raise explained
