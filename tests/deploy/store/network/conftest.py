"""A proxy in front of an S3 server that does to requests what bad networks and servers do."""

import contextlib
import dataclasses
import os
import re
import socket
import socketserver
import struct
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdtasks.deploy.store.objects import Objects

_HEAD_END = b"\r\n\r\n"
_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"


@dataclasses.dataclass
class Fault:
    """What happens to one request.

    Attributes:
        status, code: answer so instead of asking the server.
        request_bytes: cut the connection after so many bytes of the body.
        answer_bytes: end the connection after so many bytes of the answer; 0 loses all of it.
        seconds: wait before the answer.
    """

    status: int = 0
    code: str = ""
    request_bytes: int | None = None
    answer_bytes: int | None = None
    seconds: float = 0.0


@dataclasses.dataclass
class Request:
    """A request as the proxy sees it."""

    method: str
    path: str
    number: int  # 0, 1, 2 … of those with the same method and path


class Proxy(socketserver.ThreadingTCPServer):
    """Passes requests on, one a connection."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        host, port = endpoint.removeprefix("http://").split(":")
        self.server_at = (host, int(port))
        self.plan: Callable[[Request], Fault | None] = lambda request: None
        self.seen: list[Request] = []
        self.body_bytes = 0  # of answers
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fault_of(self, method: str, path: str) -> Fault:
        with self._lock:
            number = sum((one.method, one.path) == (method, path) for one in self.seen)
            self.seen.append(Request(method, path, number))
        return self.plan(self.seen[-1]) or Fault()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of this proxy break off all the time."""


class _Handler(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        data = b""
        while _HEAD_END not in data:
            chunk = self.request.recv(65536)
            if not chunk:
                return
            data += chunk
        head, _, body = data.partition(_HEAD_END)
        method, path = head.decode("latin-1").split(" ")[:2]
        fault = self.server.fault_of(method, path)
        found = re.search(rb"(?im)^content-length: *(\d+)", head)
        length = int(found[1]) if found else 0
        head = re.sub(rb"(?im)^connection:[^\r]*\r\n", b"", head + b"\r\n")
        if fault.status:
            self._drain(length - len(body))
            self._answer(fault)
            return
        most = length if fault.request_bytes is None else min(length, fault.request_bytes)
        while len(body) < most and (chunk := self.request.recv(65536)):
            body += chunk
        if len(body) < most:
            return  # moto would take half a body for a whole one
        with socket.create_connection(self.server.server_at) as upstream:
            upstream.sendall(head + b"Connection: close\r\n\r\n" + body[:most])
            if most < length:
                self._reset()
                return
            time.sleep(fault.seconds)
            self._pass_answer(upstream, fault)

    def _pass_answer(self, upstream: socket.socket, fault: Fault) -> None:
        left = fault.answer_bytes
        while chunk := upstream.recv(65536):
            if left is not None:
                chunk, left = chunk[:left], left - len(chunk[:left])
            self.server.body_bytes += len(chunk)
            self.request.sendall(chunk)
            if left == 0:
                self.request.close()
                return

    def _answer(self, fault: Fault) -> None:
        body = _ERROR.format(code=fault.code).encode()
        self.request.sendall(
            f"HTTP/1.1 {fault.status} x\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n".encode()
            + body
        )

    def _drain(self, length: int) -> None:
        while length > 0 and (chunk := self.request.recv(65536)):
            length -= len(chunk)

    def _reset(self) -> None:
        """End a connection as a network does that has gone away, not as a polite server."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()


@pytest.fixture
def proxy(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that boto3 uses from here on."""
    with Proxy(server) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.fixture
def proxied_address(proxy: Proxy) -> str:
    return f"s3://bucket/{uuid.uuid4().hex}"


@pytest.fixture
def proxied(proxied_address: str, open_store: Callable[[str], Objects]) -> Objects:
    """An empty store behind the proxy."""
    return open_store(proxied_address)


@pytest.fixture
def fault() -> type[Fault]:
    return Fault


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 tries again at once."""
    clock: Any = types.SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})
    monkeypatch.setattr("botocore.endpoint.time", clock)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> str:
    """An endpoint where nobody listens."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return endpoint


SMALL = {"model.tflite": os.urandom(100_000), "labels.txt": b"a\nb\n"}


def is_blob(request: Any) -> bool:
    return "/blobs/sha256/" in request.path
