"""A process that forks itself for commands, so that these need not import what it has."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Generic, TypeVar

from kdtasks.orchestrate.project.project import child_environment
from kdtasks.orchestrate.warm.folder import socket_folder

_PROGRAM = Path(__file__).with_name("program.py")

_QUEUE = 64


class WarmServer:
    """Started when its address is asked for; it imports once the first command is there.

    Where it cannot be started, or has ended, commands start cold by themselves.
    """

    def __init__(
        self, modules: Sequence[str], folder: Path | None = None, packages: Sequence[str] = ()
    ) -> None:
        """Say what it imports.

        Args:
            modules: imported as they are.
            folder: where it does so, and whose modules come first.
            packages: of kdtasks, imported with all that they hold. A command in a folder with other
                code of kdtasks imports its own.
        """
        self._modules, self._home, self._packages = modules, folder, packages
        self._one_thread = threading.Lock()
        self._folder = ExitStack()
        self._address = ""
        self._server: subprocess.Popen[bytes] | None = None
        self._first: socket.socket | None = None

    def address(self) -> str | None:
        """Where it listens; None where it could not be started."""
        with self._one_thread:
            if not self._address:
                try:
                    self._address = self._find()
                except OSError:  # a path too long for a socket, no memory
                    return None
        return self._address

    def command(self, module: str, *arguments: str) -> list[str] | None:
        """What to start for `python -m MODULE ARGUMENT…`; None where only that can be."""
        address = self.address()
        if not address:
            return None
        return [sys.executable, "-I", "-S", str(_PROGRAM), "ask", address, module, *arguments]

    def begin(self) -> None:
        """Have it import now, while the caller has something else to do."""
        address = self.address()
        with self._one_thread:
            if address and not self._first:
                self._first = socket.socket(socket.AF_UNIX)
                with suppress(OSError):  # it has ended
                    self._first.connect(address)
                    self._first.shutdown(socket.SHUT_WR)

    def is_ready(self) -> bool:
        """Whether it has imported all since `begin`, so that a command need not wait for that."""
        try:
            # it lets go of whoever asks for nothing
            return self._first is not None and not self._first.recv(1, socket.MSG_DONTWAIT)
        except OSError:
            return False

    def settle(self) -> None:
        """Wait until it imports no more, if it has begun to: for what is timed."""
        if self._first:
            with suppress(OSError):
                self._first.recv(1)

    def retire(self) -> None:
        """Let the server end once no command runs."""
        if self._first:
            self._first.close()
        if self._server and self._server.stdin:
            with suppress(BrokenPipeError):
                self._server.stdin.close()

    def close(self) -> None:
        """End the server; to be called when no command runs."""
        self.retire()
        if self._server:
            self._server.kill()
            self._server.wait()
        self._folder.close()

    def _variables(self) -> Mapping[str, str]:
        """What the server's environment has besides."""
        return {}

    def _find(self) -> str:
        """Start the server; returns its address."""
        variables = json.dumps(self._variables())
        address = str(self._folder.enter_context(socket_folder()) / "warm")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(_QUEUE)  # from here on clients wait for its imports
            number = listener.fileno()
            packages = json.dumps(self._packages) if self._packages else ""
            words = (str(number), variables, str(self._home or ""), packages, *self._modules)
            self._server = subprocess.Popen(
                # -P: this folder is no place to import from
                [sys.executable, "-P", str(_PROGRAM), "serve", *words],
                cwd=self._home,
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[number],
                start_new_session=True,
            )
        return address


K = TypeVar("K", bound=Hashable)
S = TypeVar("S", bound=WarmServer)


class LastServer(Generic[K, S]):
    """The server of the key that was asked for last; any other ends with its last command."""

    def __init__(self, make: Callable[[K], S]) -> None:
        self._make = make
        self._one_thread = threading.Lock()
        self._servers: dict[K, S] = {}

    def of(self, key: K) -> S:
        """Give the server of a key."""
        with self._one_thread:
            if key not in self._servers:
                for other in list(self._servers):
                    self._servers.pop(other).retire()
                self._servers[key] = self._make(key)
            return self._servers[key]

    def close(self) -> None:
        """End it; to be called when no command runs."""
        with self._one_thread:
            for server in self._servers.values():
                server.close()
            self._servers.clear()
