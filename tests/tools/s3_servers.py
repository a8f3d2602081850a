"""S3 servers to test with: moto's imitation, and a real one, Ceph's gateway.

KDTASKS_TEST_S3 is `off`, or the endpoint of a server that runs already and has the same keys.
Without it Ceph's gateway is started, from packages that are kept in KDTASKS_TEST_PACKAGES.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

BUCKET = "bucket"
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testsecret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}

_ROOT = Path(__file__).parents[2]
# Read before any test hides the user's settings.
_REAL_SERVER = os.environ.get("KDTASKS_TEST_S3", "")
_PACKAGES = os.environ.get("KDTASKS_TEST_PACKAGES", "")


@pytest.fixture(scope="session")
def moto_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An imitation of S3: quick, but it accepts any credentials and half a body."""
    with running_moto(tmp_path_factory.mktemp("moto") / "log") as endpoint:
        yield endpoint


@contextlib.contextmanager
def running_moto(log: Path) -> Iterator[str]:
    """Run moto's server in the block; yields its endpoint."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(endpoint):
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        _make_bucket(endpoint)
        yield endpoint
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def ceph_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 server; tests are skipped where Debian's packages cannot be had."""
    if _REAL_SERVER == "off":
        pytest.skip("KDTASKS_TEST_S3 is off")
    if _REAL_SERVER:
        _make_bucket(_REAL_SERVER)
        yield _REAL_SERVER
        return
    folder = tmp_path_factory.mktemp("ceph")
    packages = ["--packages", _PACKAGES] if _PACKAGES else []
    errors = folder / "errors"
    with (
        errors.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "tests.tools.ceph_gateway", "run", str(folder), *packages],
            cwd=_ROOT,
            stdin=subprocess.PIPE,  # ends when this process does, and the server with it
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,
        ) as gateway,
    ):
        assert gateway.stdout is not None
        endpoint = gateway.stdout.readline().strip()
        if endpoint:
            _make_bucket(endpoint)
            yield endpoint
        gateway.communicate()
    if endpoint:
        return
    message = errors.read_text().strip()
    if gateway.returncode == os.EX_UNAVAILABLE:
        pytest.skip(f"no real S3 server: {message}")
    pytest.fail(message)


def _make_bucket(endpoint: str) -> None:
    import boto3

    keys = {
        "aws_access_key_id": SETTINGS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": SETTINGS["AWS_SECRET_ACCESS_KEY"],
    }
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET)
    client.close()
