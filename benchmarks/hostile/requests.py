"""Send thousands of broken HTTP requests to a server: none may fail it, hang, or make it grow.

python -m benchmarks.hostile.requests BUNDLE --count 5000
"""

import argparse
import collections
import contextlib
import io
import logging
import random
import resource
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from kdtasks.deploy.serve.application import make_application
from kdtasks.deploy.serve.server import Server
from kdtasks.deploy.serve.service import Service, load_release

MOST_BYTES = 1_000_000
LONGEST_SECONDS = 10.0
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


def images() -> list[bytes]:
    """A few small images of kinds that people send."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    found = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


def requests(count: int, seed: int) -> Iterator[bytes]:
    """Give broken requests, the same ones for the same seed."""
    chance = random.Random(seed)
    whole = images()
    for _ in range(count):
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
        yield bytes(data)


def send(port: int, data: bytes) -> str:
    """Send a request; the status of the answer, or `closed`.

    A server that waits for the rest of a request is told after a while that there is none.

    Raises:
        AssertionError: the server took longer than ten seconds.
    """
    start, parts = time.monotonic(), []
    with (
        socket.create_connection(("127.0.0.1", port), timeout=LONGEST_SECONDS) as client,
        contextlib.suppress(ConnectionError),
    ):
        client.sendall(data)
        readable, _, _ = select.select([client], [], [], PATIENCE_SECONDS)
        if readable:
            parts.append(client.recv(65536))
        client.shutdown(socket.SHUT_WR)
        while part := client.recv(65536):
            parts.append(part)
    assert time.monotonic() - start < LONGEST_SECONDS, "it took more than ten seconds"
    words = b"".join(parts).split(b" ", 2)
    return words[1].decode() if len(words) > 1 else "closed"


def attack(bundle: Path, count: int, seed: int) -> collections.Counter[str]:
    """Count the answers by status.

    Raises:
        AssertionError: a request hung or failed, or the server does not answer afterwards.
    """
    service = Service(load_release(bundle, threads=2), threads=2)
    application = make_application(service, most_bytes=MOST_BYTES)
    server = Server(application, host="127.0.0.1", port=0)
    server.start()
    counts: collections.Counter[str] = collections.Counter()
    try:
        for data in requests(count, seed):
            counts[send(server.port, data)] += 1
            assert not counts["500"], data[:300]
        whole = images()[0]
        head = f"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(whole)}\r\n\r\n"
        assert send(server.port, head.encode() + whole) == "200"
    finally:
        server.stop()
        service.close()
    return counts


def main() -> None:
    """Attack, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # the server's, of each request that is none
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = attack(options.bundle, options.count, options.seed)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    for status, number in sorted(counts.items()):
        print(f"{status:7} {number:,}")
    print(f"{grown:.0f} MB more memory at the highest, the model's included")


if __name__ == "__main__":
    main()
