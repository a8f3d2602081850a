"""Run an application on a socket until it is told to stop, and let it finish what it has begun."""

import asyncio
import contextlib
import signal
import socket
import threading
import time

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from kdtasks.core.errors import ServingError

GRACE = 30  # seconds that requests may still take once the server is to stop
MOST_CONNECTIONS = 1000  # systems allow a process 1,024 open files
HEAD_SECONDS = 10.0  # for a request's head to arrive
_BACKLOG = 1024


class _Protocol(H11Protocol):
    """Closes connections on which a request's head does not arrive, or by drops only."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # what came breaks off an answer that has begun
            self.transport.close()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._unwatch()
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def _unwatch(self) -> None:
        if self._head:
            self._head.cancel()
            self._head = None


class _Lenient:
    """Lets go of requests after which the client broke the protocol; it was told so already."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(h11.LocalProtocolError):
            await self._application(scope, receive, send)


class Server:
    """An application and its socket, which is bound at once.

    Attributes:
        port: that it listens on, also where 0 was asked for.
    """

    def __init__(self, application: Starlette, *, host: str, port: int) -> None:
        """Bind the socket.

        Raises:
            ServingError: the address cannot be had.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except (OSError, OverflowError) as error:
            raise ServingError(
                f"port {port} of {host} cannot be had ({error}); give another --port or --host"
            ) from None
        # Else the second part of an answer waits 40 ms for the first to be acknowledged. What is
        # accepted inherits it; asyncio sets it only on sockets that were made with a protocol.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                _Lenient(application),
                http=_Protocol,
                limit_concurrency=MOST_CONNECTIONS,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def run(self) -> None:
        """Serve in this thread, the main one, until SIGTERM or SIGINT; open requests finish."""
        # uvicorn raises the signal again when it has finished: then it has been obeyed already
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self._serve()

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    def stop(self) -> None:
        """Take no more connections, finish open requests, end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])
