"""HTTP requests: of every method, target, type and length, with images whole and damaged."""

import contextlib
import io
import logging
import random
import select
import socket
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.hostile.attack import Attack
from kdtasks.core.errors import ServingError
from kdtasks.deploy.serve.application import make_application
from kdtasks.deploy.serve.server import Server
from kdtasks.deploy.serve.service import Service, load_release

MOST_BYTES = 1_000_000
LONGEST_WAIT = 60.0
PATIENCE_SECONDS = 0.2
BOUNDARY = "xyz"
TARGETS = (
    "/predict", "/predict?mask=png", "/predict?mask=%00", "/predict/", "//", "/health", "/metrics",
    "/", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "*", "http://elsewhere/predict",
    "/predict?" + "a=b&" * 500, "/" + "a" * 9_000, "/\x00", "/\x1b[2J",
)  # fmt: skip
METHODS = ("POST", "GET", "HEAD", "PUT", "OPTIONS", "TRACE", "CONNECT", "post", "P\x00ST", "")
TYPES = (
    "image/png", "multipart/form-data; boundary=xyz", "multipart/form-data", "multipart/mixed",
    "multipart/form-data; boundary=" + "x" * 3_000, "multipart/form-data; boundary*=utf-8''xyz",
    "text/html; charset=none", "application/json", "\xff\xfe", "",
)  # fmt: skip
FIELDS = (
    "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Content-Length: -1",
    "Content-Length: 99999999999999999999", "Content-Length: 1e3", "Expect: 100-continue",
    "Connection: close", "Connection: upgrade\r\nUpgrade: websocket", "Host: evil.example",
    "Content-Encoding: gzip", "Range: bytes=0-", "X: " + "y" * 70_000, "X\x00: y", ": y", "X",
)  # fmt: skip


@cache
def _images() -> list[bytes]:
    """A few small images of kinds that people send."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    found = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


class Requests(Attack):
    """Sent to a server with a bundle, as `kdtasks serve` runs it; it never fails nor logs so."""

    name, trials = "requests", 5000

    def __init__(self) -> None:
        """Start nothing yet: the server belongs to the process of the attack."""
        self._port = 0
        self._faults: list[str] = []

    def prepare(self, seeds: Path) -> None:
        from benchmarks.hostile.made import write_bundles

        write_bundles(seeds, (8, 8, 3))

    def attempt(self, trial: int, seeds: Path, place: Path) -> None:
        self._port = self._port or self._start(seeds / "bundle")
        data = _request(trial) if trial >= 0 else _whole_request(_images()[0])
        status = _send(self._port, data)
        faults = [self._faults.pop() for _ in list(self._faults)]
        if status == "500" or faults:
            raise AssertionError(f"{status} {faults} {data[:200]!r}")
        if not status.startswith("2"):
            raise ServingError(status)

    def _start(self, bundle: Path) -> int:
        logging.getLogger().addHandler(_Faults(self._faults))
        service = Service(load_release(bundle, threads=2), threads=2)
        server = Server(make_application(service, max_bytes=MOST_BYTES), host="127.0.0.1", port=0)
        server.start()
        return server.port


class _Faults(logging.Handler):
    """Keeps the exceptions that are logged."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__()
        self._faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._faults.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


def _whole_request(image: bytes) -> bytes:
    return (
        f"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(image)}\r\n\r\n".encode()
        + image
    )


def _request(trial: int) -> bytes:
    chance = random.Random(trial)
    whole = _images()
    body = bytearray(chance.choice((*whole, b"", b"\x00")))
    for _ in range(chance.choice((0, 0, 0, 1, 5, 50)) if body else 0):
        body[chance.randrange(len(body))] = chance.randrange(256)
    if chance.random() < 0.2:
        body = body[: chance.randrange(len(body) + 1)]
    kind = chance.choice(TYPES) if chance.random() < 0.5 else "image/png"
    if "multipart" in kind:
        name = chance.choice(("a", "\xff", "\x1b[2J", "a" * 5_000, "../../a"))
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="b"'
        body = bytearray(head.encode("latin-1") + b"\r\n\r\n" + body + b"\r\n--xyz--\r\n")
    fields = [f"Content-Type: {kind}", "Host: a"]
    if chance.random() < 0.9:
        off = chance.choice((0, 0, 0, 0, 1, -1, 5))
        fields.append(f"Content-Length: {max(0, len(body) + off)}")
    fields += chance.sample(FIELDS, chance.choice((0, 0, 1, 2)))
    chance.shuffle(fields)
    method = chance.choice(METHODS) if chance.random() < 0.3 else "POST"
    target = chance.choice(TARGETS) if chance.random() < 0.4 else "/predict"
    version = chance.choice(("1.1", "1.1", "1.1", "1.0", "2.0", "9"))
    head = f"{method} {target} HTTP/{version}\r\n" + "\r\n".join(fields) + "\r\n\r\n"
    data = bytearray(head.encode("latin-1") + body)
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _send(port: int, data: bytes) -> str:
    """Send a request; the status of the answer, or `closed`.

    A server that waits for the rest of a request is told after a while that there is none.

    Raises:
        TimeoutError: nothing came for a minute.
    """
    parts = []
    with (
        socket.create_connection(("127.0.0.1", port), timeout=LONGEST_WAIT) as client,
        contextlib.suppress(ConnectionError),
    ):
        client.sendall(data)
        readable, _, _ = select.select([client], [], [], PATIENCE_SECONDS)
        if readable:
            parts.append(client.recv(65536))
        client.shutdown(socket.SHUT_WR)
        while part := client.recv(65536):
            parts.append(part)
    words = b"".join(parts).split(b" ", 2)
    return words[1].decode() if len(words) > 1 else "closed"
