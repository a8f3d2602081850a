"""HTTP requests: of every method, target, type and length, with images whole and damaged."""

import contextlib
import io
import logging
import select
import socket
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from benchmarks.hostile.attack import Attack
from benchmarks.hostile.mutation import DAMAGES, FLIPS
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


KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
NAMES = ("a", "\xff", "\x1b[2J", "a" * 5_000, "../../a")
SIDES = st.integers(1, 40)

# What may be otherwise in a request.
PARTS: dict[str, st.SearchStrategy[Any]] = {
    "body": st.sampled_from([b"", b"\x00"]) | st.binary(),
    "damage": DAMAGES,
    "type": st.sampled_from(TYPES),
    "length": st.sampled_from([None, 1, -1, -(10**6)]),  # none, or so many bytes more
    "fields": st.lists(st.sampled_from(FIELDS), min_size=1, max_size=2),
    "method": st.sampled_from(METHODS),
    "target": st.sampled_from(TARGETS) | st.text(st.characters(max_codepoint=255)),
    "version": st.sampled_from(["1.0", "2.0", "9"]),
    "flips": FLIPS,
}


def _image(width: int, height: int, kind: str) -> bytes:
    """A small image of a kind that people send."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


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

    def drawn(self, seeds: Path) -> st.SearchStrategy[bytes]:
        """Give requests of which one to three parts are not as they should be."""
        image = st.builds(_image, SIDES, SIDES, st.sampled_from(KINDS))
        parts = st.sets(st.sampled_from(sorted(PARTS)), min_size=1, max_size=3).flatmap(
            lambda names: st.fixed_dictionaries({name: PARTS[name] for name in sorted(names)})
        )
        return st.builds(
            lambda image, name, parts: _request(image, name, **parts),
            image,
            st.sampled_from(NAMES),
            parts,
        )

    def attempt(self, case: bytes | None, seeds: Path, place: Path) -> None:
        self._port = self._port or self._start(seeds / "bundle")
        data = _request(_image(24, 20, "PNG")) if case is None else case
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


def _request(image: bytes, name: str = "a", **parts: Any) -> bytes:
    """Write a request with an image, of which these parts are otherwise."""
    body = parts.get("damage", bytes)(parts.get("body", image))
    kind = parts.get("type", "image/png")
    if "multipart" in kind:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="b"'
        body = head.encode("latin-1") + b"\r\n\r\n" + body + f"\r\n--{BOUNDARY}--\r\n".encode()
    fields = [f"Content-Type: {kind}", "Host: a", *parts.get("fields", ())]
    if (more := parts.get("length", 0)) is not None:
        fields.append(f"Content-Length: {max(0, len(body) + more)}")
    method, target = parts.get("method", "POST"), parts.get("target", "/predict")
    line = f"{method} {target} HTTP/{parts.get('version', '1.1')}"
    head = "\r\n".join([line, *fields, "", ""])
    flipped: bytes = parts.get("flips", bytes)(head.encode("latin-1") + body)
    return flipped


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
        with contextlib.suppress(OSError):  # the server may have closed it by now
            client.shutdown(socket.SHUT_WR)
        while part := client.recv(65536):
            parts.append(part)
    words = b"".join(parts).split(b" ", 2)
    return words[1].decode() if len(words) > 1 else "closed"
