"""Many devices in one process, each with a cache, a state and a port of its own, for trying."""

import contextlib
import http.client
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.table import Table

from kdtasks.deploy.agent.device import Device
from kdtasks.deploy.agent.settings import DeviceSettings
from kdtasks.deploy.store.objects import Objects

_REFRESH = 0.5  # seconds
_CLIENTS = 16
_TIMEOUT = 30.0  # seconds


class DeviceRow(NamedTuple):
    """What a fleet's table says of one device."""

    device: str
    port: int | str
    version: str
    answers: int
    exits: tuple[int, ...]
    errors: int
    sent: int
    waiting: int
    note: str


@contextlib.contextmanager
def running_fleet(
    objects: Objects, settings: DeviceSettings, count: int, folder: Path
) -> Iterator[list[Device]]:
    """Run devices until the block ends.

    Args:
        settings: of all of them; names, folders and ports are their own.
        folder: where their folders are.

    Raises:
        StoreError: as `Agent.begin`.
    """
    with contextlib.ExitStack() as running:
        devices = []
        for number in range(1, count + 1):
            name = f"{settings.device}-{number:0{len(str(count))}d}"
            port = settings.port + number - 1 if settings.port else 0
            home = folder / name
            own = replace(
                settings, device=name, state=home / "state", cache=home / "cache", port=port
            )
            device = running.enter_context(Device(objects, own))
            device.server.start()
            devices.append(device)
        yield devices


def watch(
    devices: Sequence[Device],
    images: Sequence[Path],
    *,
    host: str,
    rate: float,
    seconds: float | None,
) -> list[DeviceRow]:
    """Show devices in a table that lives, and send them images; gives its last state.

    Args:
        images: files to send in turn; none sends nothing.
        rate: images a second, over all devices.
        seconds: when to end; null waits for Ctrl-C.
    """
    ports = [device.server.port for device in devices]
    traffic = Traffic(images, ports, host=host, rate=rate) if images else None
    until = time.monotonic() + seconds if seconds is not None else float("inf")
    console = Console()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        if traffic:
            stack.enter_context(traffic)
        live = Live(console=console, auto_refresh=False, transient=True)
        if console.is_terminal:
            stack.enter_context(live)
        while time.monotonic() < until:
            if console.is_terminal:
                live.update(render(rows_of(devices, traffic)), refresh=True)
            time.sleep(min(_REFRESH, max(0.0, until - time.monotonic())))
    for device in devices:
        device.sender.write()
        device.sender.send()
    rows = rows_of(devices, traffic)
    console.print(render(rows))
    return rows


class Traffic:
    """Images in turn to servers in turn; use it as a context.

    Attributes:
        errors: of each server, requests without an answer 200.
    """

    def __init__(
        self, images: Sequence[Path], ports: Sequence[int], *, host: str, rate: float
    ) -> None:
        """Say what to send where.

        Args:
            images: files, at least one.
            rate: requests a second, over all servers.
        """
        self._images = [path.read_bytes() for path in images]
        self._host, self._ports, self._pause = host, list(ports), 1.0 / rate
        self._due, self._number = time.monotonic(), 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._clients = ThreadPoolExecutor(_CLIENTS, thread_name_prefix="client")
        self.errors = [0] * len(ports)

    def __enter__(self) -> "Traffic":
        for _ in range(_CLIENTS):
            self._clients.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._clients.shutdown()

    def _run(self) -> None:
        """Send what is due next, again and again; while all clients wait, nothing else is due."""
        while not self._stopping.is_set():
            with self._lock:
                number, self._number = self._number, self._number + 1
                due = self._due = max(self._due + self._pause, time.monotonic() - 1.0)
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                return
            turn, server = divmod(number, len(self._ports))
            # one further in every turn, or a server would get the same few images for ever
            image = self._images[(number + turn) % len(self._images)]
            if not self._is_answered(image, self._ports[server]):
                with self._lock:
                    self.errors[server] += 1

    def _is_answered(self, image: bytes, port: int) -> bool:
        connection = http.client.HTTPConnection(self._host, port, timeout=_TIMEOUT)
        try:
            with contextlib.closing(connection):
                connection.request("POST", "/predict", image)
                return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def rows_of(devices: Sequence[Device], traffic: Traffic | None) -> list[DeviceRow]:
    """Look at every device."""
    errors = traffic.errors if traffic else [0] * len(devices)
    return [_row(device, failed) for device, failed in zip(devices, errors, strict=True)]


def _row(device: Device, errors: int) -> DeviceRow:
    release, agent, sender = device.service.release, device.agent, device.sender
    note = agent.store_problem or sender.problem or ""
    if rejected := agent.rejected:
        note = f"version {rejected.number} rejected"
    return DeviceRow(
        device=device.name,
        port=device.server.port,
        version=str(release.number) if release else "–",
        answers=sum(sender.exits),
        exits=tuple(sender.exits),
        errors=errors,
        sent=device.spool.sent,
        waiting=len(device.spool.waiting()),
        note=note,
    )


def render(rows: Sequence[DeviceRow]) -> Table:
    """Draw the table, with the sums in its last row if there are several."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("device", no_wrap=True)
    headings = ("port", "version", "answers", "exits", "errors", "telemetry sent", "waiting")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("note", style="red", overflow="ellipsis", no_wrap=True)
    total = DeviceRow(
        device=f"all {len(rows)}",
        port="",
        version="",
        answers=sum(row.answers for row in rows),
        exits=tuple(map(sum, itertools.zip_longest(*(row.exits for row in rows), fillvalue=0))),
        errors=sum(row.errors for row in rows),
        sent=sum(row.sent for row in rows),
        waiting=sum(row.waiting for row in rows),
        note="",
    )
    for row in (*rows, total) if len(rows) > 1 else rows:
        cells = row._asdict() | {"exits": " ".join(map(str, row.exits)) or "–"}
        table.add_row(*map(str, cells.values()), style="bold" if row is total else None)
    return table
