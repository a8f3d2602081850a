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

from kdtasks.deploy.agent.device import Device, DeviceSettings
from kdtasks.deploy.store.objects import Objects

_REFRESH = 0.5  # seconds
_CLIENTS = 16
_TIMEOUT = 30.0  # seconds


class Row(NamedTuple):
    """What a fleet's table says of one device."""

    device: str
    port: int
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
            own = replace(
                settings,
                device=name,
                state=folder / name / "state",
                cache=folder / name / "cache",
                port=settings.port + number - 1 if settings.port else 0,
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
) -> list[Row]:
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
        device.reporter.write()
        device.reporter.send()
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
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self.errors = [0] * len(ports)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        # clients that are all waiting hold the next request up: no queue grows without end
        free = threading.Semaphore(_CLIENTS)
        due, numbers = time.monotonic(), itertools.count()
        with ThreadPoolExecutor(_CLIENTS, thread_name_prefix="client") as clients:
            while not self._stopping.wait(max(0.0, due - time.monotonic())):
                due = max(due + self._pause, time.monotonic() - 1.0)
                free.acquire()
                sending = clients.submit(self._send, next(numbers))
                sending.add_done_callback(lambda _: free.release())

    def _send(self, number: int) -> None:
        turn, server = divmod(number, len(self._ports))
        # one further in every turn, or a server would get the same few images for ever
        image = self._images[(number + turn) % len(self._images)]
        connection = http.client.HTTPConnection(self._host, self._ports[server], timeout=_TIMEOUT)
        try:
            connection.request("POST", "/predict", image)
            is_answered = connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            is_answered = False
        finally:
            connection.close()
        if not is_answered:
            with self._lock:
                self.errors[server] += 1


def rows_of(devices: Sequence[Device], traffic: Traffic | None) -> list[Row]:
    """Look at every device."""
    errors = traffic.errors if traffic else [0] * len(devices)
    return [_row(device, failed) for device, failed in zip(devices, errors, strict=True)]


def _row(device: Device, errors: int) -> Row:
    release, agent = device.service.release, device.agent
    rejected, reporter = agent.rejected, device.reporter
    note = (
        f"version {rejected.number} taken back"
        if rejected
        else agent.store_problem or reporter.problem or ""
    )
    return Row(
        device=device.name,
        port=device.server.port,
        version=str(release.number) if release else "–",
        answers=reporter.answers,
        exits=tuple(reporter.exits),
        errors=errors,
        sent=device.spool.sent,
        waiting=len(device.spool.waiting()),
        note=note,
    )


def render(rows: Sequence[Row]) -> Table:
    """Draw the table."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("device", no_wrap=True)
    headings = ("port", "version", "answers", "exits", "errors", "telemetry sent", "waiting")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("note", style="red", overflow="ellipsis", no_wrap=True)
    for row in rows:
        exits = " ".join(map(str, row.exits)) or "–"
        cells = [row.port, row.version, row.answers, exits, row.errors, row.sent, row.waiting]
        table.add_row(row.device, *map(str, cells), row.note)
    if len(rows) > 1:
        totals = [sum(getattr(row, key) for row in rows) for key in ("answers", "errors", "sent")]
        waiting = sum(row.waiting for row in rows)
        longest = max(len(row.exits) for row in rows)
        exits = " ".join(
            str(sum(row.exits[k] for row in rows if k < len(row.exits))) for k in range(longest)
        )
        cells = ["", "", totals[0], exits or "–", totals[1], totals[2], waiting]
        table.add_row(f"all {len(rows)}", *map(str, cells), "", style="bold")
    return table
