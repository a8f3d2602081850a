"""A scheduler and workers that share nothing but an S3 server, each behind a gate of its own."""

import contextlib
import json
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.orchestrate.sweep.project.make import make_project as make_swept_project
from tests.tools.s3_servers import BUCKET, SETTINGS

# Dask watches itself fifty times a second, which costs more than these workers' stages.
QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false",
    "DASK_DISTRIBUTED__WORKER__MEMORY__MONITOR_INTERVAL": "10s",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "2s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
}


class Gate(socketserver.ThreadingTCPServer):
    """Passes connections on to a server while it is open, and breaks them off while it is not."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        host, port = endpoint.removeprefix("http://").split(":")
        self.server_at = (host, int(port))
        self.is_open = True
        self.refused = 0
        self.pulled_bytes = 0  # from the server, headers included
        self.gets: list[str] = []  # the paths that were asked for
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections break off here."""


class _Passage(socketserver.BaseRequestHandler):
    server: Gate

    def handle(self) -> None:
        if not self.server.is_open:
            self.server.refused += 1
            return
        with socket.create_connection(self.server.server_at) as upstream:
            back = threading.Thread(target=self._pump, args=(upstream, self.request), daemon=True)
            back.start()
            self._pump(self.request, upstream)
            back.join()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and self.server.is_open:
                target.sendall(data)
                if source is self.request:
                    paths = re.findall(rb"GET ([^ ?]+)\S* HTTP/", data)
                    self.server.gets += [path.decode() for path in paths]
                else:
                    self.server.pulled_bytes += len(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Worker(NamedTuple):
    """A process with a home, a folder and a way to S3 of its own."""

    process: "subprocess.Popen[bytes]"
    gate: Gate
    home: Path

    @property
    def trace(self) -> list[str]:
        """What the stages that began here have noted."""
        path = self.home / "TRACE"
        return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def git(folder: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True).stdout


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def has(file: Path, text: str) -> bool:
    return file.is_file() and text in file.read_text(encoding="utf-8")


def environment(home: Path, endpoint: str) -> dict[str, str]:
    """Of a machine whose user has nothing but credentials."""
    kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
    no_file = {key: str(home / "none") for key in SETTINGS if key.endswith("_FILE")}
    (home / "none").touch()
    traced = {name: str(home / name) for name in ("TRACE", "BREAK", "HOLD")}
    own = {"HOME": str(home), "AWS_ENDPOINT_URL": endpoint, "DVC_NO_ANALYTICS": "1"}
    return {**kept, **SETTINGS, **no_file, **traced, **own, **QUIET}


def make_project(folder: Path) -> Path:
    """A project with a remote in S3, where nothing has run."""
    make_swept_project(folder)
    (folder / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n    remote = storage\n"
        f"['remote \"storage\"']\n    url = s3://{BUCKET}/{uuid.uuid4().hex}\n",
        encoding="utf-8",
    )
    git(folder, "commit", "--quiet", "-am", "remote")
    return folder


@contextlib.contextmanager
def running_scheduler(folder: Path) -> Iterator[str]:
    """Run a scheduler of Dask in the block; yields its address."""
    log, file = folder / "log", folder / "scheduler.json"
    words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
    words += ["--scheduler-file", str(file)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", *words],
            env={**os.environ, **QUIET},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        wait_until(lambda: has(file, "}") or process.poll() is not None, "no scheduler")
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield json.loads(file.read_text(encoding="utf-8"))["address"]
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running_workers(
    number: int, folder: Path, scheduler: str, endpoint: str
) -> Iterator[list[Worker]]:
    """Run workers in the block, whose stages wait where the project's do."""
    started = []
    for place in range(number):
        home, gate = folder / f"worker-{place}", Gate(endpoint)
        home.mkdir()
        (home / "HOLD").touch()
        words = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", str(place)]
        words += ["--local-directory", str(home)]
        with (home / "log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, *words],
                env=environment(home, gate.endpoint),
                cwd=home,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(Worker(process, gate, home))
    try:
        for worker in started:
            wait_until(partial(has, worker.home / "log", "Registered to"), "no worker")
        yield started
    finally:
        for worker in started:
            worker.process.kill()
            worker.process.wait()
            worker.gate.shutdown()
            worker.gate.server_close()
