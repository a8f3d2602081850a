"""Send pictures to servers at a steady rate, to try them."""

import http.client
import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_CLIENTS = 16
_TIMEOUT = 30.0  # seconds


class Traffic:
    """Pictures in turn to servers in turn; use it as a context.

    Attributes:
        errors: of each server, requests without an answer 200.
    """

    def __init__(
        self, pictures: Sequence[Path], ports: Sequence[int], *, host: str, rate: float
    ) -> None:
        """Say what to send where.

        Arguments:
            pictures: files, at least one.
            rate: requests a second, over all servers.
        """
        self._pictures = [path.read_bytes() for path in pictures]
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
        # one further in every turn, or a server would get the same few pictures for ever
        picture = self._pictures[(number + turn) % len(self._pictures)]
        connection = http.client.HTTPConnection(self._host, self._ports[server], timeout=_TIMEOUT)
        try:
            connection.request("POST", "/predict", picture)
            is_answered = connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            is_answered = False
        finally:
            connection.close()
        if not is_answered:
            with self._lock:
                self.errors[server] += 1
