"""Run Python on a device by OpenSSH's client, which knows hosts, keys and jumps of its user."""

import shlex
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from kdtasks.core.errors import DeviceError, shortened

# No question is asked, and a device that has gone is noticed within a quarter of a minute.
_COMMAND = (
    *("ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"),
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
)
_LOST, _NOT_FOUND = 255, 127  # statuses of ssh and of the device's shell
_PAUSE = 1.0  # seconds before the second try


class RemoteResult(NamedTuple):
    """How a program on a device ended.

    Attributes:
        last_line: of what it wrote as errors.
    """

    status: int
    output: str
    last_line: str


def check_address(address: str) -> str:
    """Give an address of a device back.

    Raises:
        ValueError: it is none.
    """
    with suppress(ValueError):  # of a port that is no number
        url = urlsplit(address)
        host, _ = url.hostname, url.port
        rest = url.path.rstrip("/") or url.query or url.fragment or url.password
        if url.scheme == "ssh" and host and not rest:
            return address
    raise ValueError(
        f"{address!r} is no device; give ssh://[user@]host[:port], where host may be one of "
        "~/.ssh/config; benchmark.devices takes ethos-u55-128 and the like besides"
    )


def run_python(address: str, script: str, *words: str, data: bytes = b"") -> RemoteResult:
    """Run a script by a device's `python3`, once more where the connection is lost.

    Args:
        address: as `check_address` has it.
        script: without `'` and backslash, which shells read in more than one way.
        words: its arguments.
        data: what it finds in its standard input, which is closed only when this process or the
            connection ends: a script that reads on learns of it.

    Raises:
        DeviceError: the device did not answer twice, or has no Python.
    """
    command = [*_COMMAND, address, shlex.join(["python3", "-c", script, *words])]
    result = _run(command, data)
    if result.status == _LOST:
        time.sleep(_PAUSE)
        result = _run(command, data)
    if result.status == _LOST:
        raise DeviceError(
            f"{address} did not answer, or went away, twice ({result.last_line or 'no reason'}); "
            f"check that `ssh {address}` asks for nothing, and try again"
        )
    if result.status == _NOT_FOUND:
        raise DeviceError(f"{address} has no python3 ({result.last_line}); install it there")
    return result


def _run(command: list[str], data: bytes) -> RemoteResult:
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        except FileNotFoundError:
            raise DeviceError(
                "there is no ssh here to reach a device with; install OpenSSH's client"
            ) from None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError):  # its status tells why
                process.stdin.write(data)
                process.stdin.flush()
            output = process.stdout.read()
            status = process.wait()
        finally:
            process.kill()  # by Ctrl-C, say: the device's side learns of it by its input
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    return RemoteResult(
        status, output.decode(errors="replace"), shortened(lines[-1]) if lines else ""
    )
